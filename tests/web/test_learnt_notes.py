"""Learn From Folder, Load Head and CLIP LoRA: what they tell after a run, and again after a reload."""

from __future__ import annotations

import pytest

LEARN, HEAD, LORA = "ClipGrid_LearnFromFolder", "ClipGrid_LoadHead", "ClipGrid_CLIPLoRA"
PANEL = ".clip-grid-lines"
SENTENCE = "ridge reaches accuracy 0.900 on 10 test rows, better than the base model (0.500) by more than the interval."
SAVED = "(id) => app.rootGraph.getNodeById(id).properties.clip_grid_result ?? null"


def learnt(sentence: str = SENTENCE, verdict: str | None = "better") -> dict[str, object]:
    """What a training sends."""
    report = {"verdict": verdict, "sentence": sentence, "tried": [{"penalty": 1}] * 1000}
    return {"clip_head": [report], "text": [f"{sentence}\n2 classes: keep, reject"], "clip_notes": []}


def lines(stub, place=0):
    return stub.node(place).locator(f"{PANEL} p").all_inner_texts()


@pytest.mark.parametrize("verdict", ["better", "not better", "not better than chance", None])
def test_the_verdict_stands_in_the_node_and_stands_out_where_it_is_bad(page_of, verdict):
    stub = page_of(LEARN)
    assert lines(stub) == []

    stub.finish(learnt(verdict=verdict))

    assert lines(stub) == ["R" + SENTENCE[1:], "2 classes: keep, reject"]
    panel = stub.node().locator(PANEL)
    assert panel.get_attribute("data-alert") == str(verdict in ("not better", "not better than chance")).lower()
    assert panel.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")


def test_the_workflow_keeps_the_sentence_and_not_the_report(page_of):
    stub = page_of(LEARN)
    stub.finish(learnt())

    saved = stub.page.evaluate(SAVED, stub.ids[0])

    assert saved["output"]["clip_head"] == [{"verdict": "better"}]
    assert saved["output"]["text"][0].startswith(SENTENCE)
    shown = lines(stub)
    stub.reload()
    assert lines(stub) == shown


@pytest.mark.parametrize(("type", "input"), [(LEARN, "data"), (HEAD, "head"), (LORA, "lora")])
def test_another_choice_takes_the_text_away(page_of, type, input):
    stub = page_of(type)
    stub.finish({"text": ["2 classes: keep, reject\nridge, 8 pictures, model: mine"]})
    assert lines(stub) == ["2 classes: keep, reject", "ridge, 8 pictures, model: mine"]

    stub.set(input, "another")

    assert lines(stub) == [] and stub.page.evaluate(SAVED, stub.ids[0]) is None
