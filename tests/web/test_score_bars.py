"""Scores in the nodes that match, label and rank."""

from __future__ import annotations

import pytest

from .outputs import EVIL, labels, matches, ranks

MATCH, LABEL, RANK = "ClipGrid_CLIPMatchScore", "ClipGrid_CLIPLabel", "ClipGrid_RankImages"


def rows(stub, place=0):
    return stub.node(place).locator(".clip-grid-score")


def test_a_match_shows_its_verdict_its_scale_and_a_mark_at_the_threshold(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle", "a blue square"))

    assert rows(stub).evaluate_all("(all) => all.map((row) => row.dataset.state)") == ["match", "mismatch"]
    assert "cosine 0.310" in rows(stub).first.inner_text()
    assert "threshold cosine 0.250" in stub.node().inner_text()
    assert rows(stub).first.locator("[data-kind=threshold]").count() == 1


def test_phrases_show_whether_they_are_missing(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle"))

    phrases = rows(stub).first.locator("[data-missing]")
    assert phrases.all_inner_texts() == ["✓ a red circle there", "✗ missing a red circle gone"]


def test_bars_are_as_long_as_their_scores(page_of):
    stub = page_of(LABEL)

    stub.finish(labels("circle"))

    bar, fill = (rows(stub).locator(name).bounding_box() for name in (".clip-grid-score-bar", ".clip-grid-score-fill"))
    assert fill["width"] / bar["width"] == pytest.approx(0.75, abs=0.01)
    assert "softmax over 8 labels" in stub.node().inner_text()


def test_ranked_pictures_are_in_order_and_show_whether_they_are_kept(page_of):
    stub = page_of(RANK)

    stub.finish(ranks(0.25, 1.5, -3))

    assert rows(stub).evaluate_all("(all) => all.map((row) => row.dataset.state)") == ["kept", "kept", "rejected"]
    assert "picture 2" in rows(stub).first.inner_text()


@pytest.mark.parametrize(
    ("node", "output"), [(MATCH, matches("a red circle")), (LABEL, labels("circle")), (RANK, ranks(1, 2))]
)
@pytest.mark.parametrize("away", ["reload", "switch_tab"])
def test_scores_are_still_there_after_a_reload_and_a_change_of_tabs(page_of, node, output, away):
    stub = page_of(node)
    stub.finish(output)
    before = rows(stub).all_inner_texts()

    getattr(stub, away)()

    assert before and rows(stub).all_inner_texts() == before


def test_no_result_is_kept_in_the_workflow_if_the_user_does_not_want_it(page_of):
    stub = page_of(MATCH)
    stub.setting("ClipGrid.KeepResults", False)

    stub.finish(matches("a red circle"))
    stub.reload()

    assert rows(stub).count() == 0


def test_another_number_of_decimals_shows_at_once(page_of):
    stub = page_of(MATCH)
    stub.finish(matches("a red circle"))

    stub.setting("ClipGrid.Decimals", 1)

    rows(stub).first.get_by_text("cosine 0.3", exact=True).wait_for()


def test_texts_never_become_elements(page_of):
    stub = page_of(MATCH, LABEL)

    stub.finish(matches(EVIL))
    stub.finish(labels(EVIL), place=1)

    assert EVIL in rows(stub).first.inner_text() and EVIL in rows(stub, 1).first.inner_text()
    assert stub.node().locator("img, script").count() == 0
    assert stub.page.evaluate("window.harm") is None


def test_of_a_thousand_rows_only_those_on_the_screen_are_drawn(page_of):
    stub = page_of(LABEL)

    stub.finish(labels(*(f"label {place}" for place in range(1000))))
    assert 5 < rows(stub).count() < 60
    stub.node().locator("[role=list]").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")

    rows(stub).get_by_text("label 999", exact=True).wait_for()


def test_scores_are_neither_sent_nor_saved_as_values(page_of):
    stub = page_of(MATCH)
    saved, inputs = ("stub.workflow().nodes[0].widgets_values", "app.graphToPrompt().then((prompt) => prompt.output)")
    before = [stub.page.evaluate(expression) for expression in (saved, inputs)]

    stub.finish(matches("a red circle"))

    assert [stub.page.evaluate(expression) for expression in (saved, inputs)] == before
