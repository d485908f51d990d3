"""Tests: what the page shows in other languages is complete, and can be shown by every front end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clip_grid
import pytest

ROOT = Path(clip_grid.__file__).parent
#: English texts of nodes stand in the code alone, where each input is declared.
TRANSLATED = ("de", "fr", "zh")
LOCALES = ("en", *TRANSLATED)
#: What a translator copies: tokens, file names, tags, marks, numbers with a point.
KEPT = re.compile(r"%\w+%|\b[\w-]+\.(?:csv|json|scores)\b|<[^>]+>|\[\w+\]|\b0\.\d+\b|#rrggbb|\\n")
IDS = re.compile(r'\bid: "ClipGrid\.(\w+)"')
NAMED = re.compile(r'\bid: "ClipGrid\.(\w+)".*?\b(?:name|label): "(?:CLIP Grid: )?([^"]+)"', re.DOTALL)

pytestmark = pytest.mark.usefixtures("host")


def locale(lang: str, name: str) -> Any:
    return json.loads((ROOT / "locales" / lang / f"{name}.json").read_text("utf-8"))


def inputs_of(node: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    declared = node.INPUT_TYPES()
    return {**declared.get("required", {}), **declared.get("optional", {})}


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    else:
        yield str(value)


def page_code() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "web").glob("*.js")))


@pytest.mark.parametrize("node_id", clip_grid.NODE_CLASS_MAPPINGS)
def test_every_input_and_every_output_of_every_node_says_what_it_is_for(node_id):
    node = clip_grid.NODE_CLASS_MAPPINGS[node_id]

    assert [name for name, (_, extra) in inputs_of(node).items() if not extra.get("tooltip", "").strip()] == []
    assert all(tooltip.strip() for tooltip in node.OUTPUT_TOOLTIPS)


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_translation_has_the_nodes_with_their_inputs_and_outputs_and_nothing_else(lang):
    told = locale(lang, "nodeDefs")

    assert list(told) == list(clip_grid.NODE_CLASS_MAPPINGS)
    for node_id, node in clip_grid.NODE_CLASS_MAPPINGS.items():
        assert set(told[node_id]) == {"display_name", "description", "inputs", "outputs"}
        assert list(told[node_id]["inputs"]) == list(inputs_of(node)), node_id
        assert list(told[node_id]["outputs"]) == [str(place) for place in range(len(node.RETURN_TYPES))], node_id
        slots = [*told[node_id]["inputs"].values(), *told[node_id]["outputs"].values()]
        assert all(set(slot) == {"name", "tooltip"} for slot in slots), node_id


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_translation_keeps_what_is_to_be_typed_as_it_is(lang):
    told = locale(lang, "nodeDefs")

    for node_id, node in clip_grid.NODE_CLASS_MAPPINGS.items():
        for name, (kind, extra) in inputs_of(node).items():
            english, translated = extra["tooltip"], told[node_id]["inputs"][name]["tooltip"]
            choices = kind if isinstance(kind, list) else []
            named = [one for one in choices if re.search(rf"\b{re.escape(one)}\b", english)]
            # a single one may be a word like any other
            explained = named if len(named) > 1 else []
            lost = [one for one in [*KEPT.findall(english), *explained] if one not in translated]
            assert not lost, f"{node_id}.{name}"


@pytest.mark.parametrize("lang", LOCALES)
def test_no_text_holds_signs_that_some_front_ends_read_as_syntax_and_others_show(lang):
    for path in (ROOT / "locales" / lang).glob("*.json"):
        told = json.loads(path.read_text("utf-8"))
        # the front end never reads these: web/lib/texts.mjs does
        told.pop("clip_grid", None)

        assert [text for text in texts(told) if not text.strip() or re.search(r"[{}@|]", text)] == [], path.name


@pytest.mark.parametrize("lang", LOCALES)
def test_every_setting_and_every_command_of_the_page_is_named(lang):
    named = {**locale(lang, "settings"), **locale(lang, "commands")}

    assert set(named) == {f"ClipGrid_{name}" for name in IDS.findall(page_code())}


def test_the_english_names_of_settings_and_commands_are_those_of_the_code():
    told = {**locale("en", "settings"), **locale("en", "commands")}

    names = {key: (one.get("name") or one["label"]).removeprefix("CLIP Grid: ") for key, one in told.items()}
    assert names == {f"ClipGrid_{name}": text for name, text in NAMED.findall(page_code())}


@pytest.mark.parametrize("lang", TRANSLATED)
@pytest.mark.parametrize("name", ["settings", "commands"])
def test_settings_and_commands_have_the_same_parts_in_every_language(lang, name):
    def shape(value: object) -> object:
        return {key: shape(one) for key, one in value.items()} if isinstance(value, dict) else None

    assert shape(locale(lang, name)) == shape(locale("en", name))


@pytest.mark.parametrize("lang", TRANSLATED)
def test_the_menu_has_every_command_in_every_language(lang):
    english = {one["label"].removeprefix("CLIP Grid: ") for one in locale("en", "commands").values()}

    assert set(locale(lang, "main")["menuLabels"]) == english
