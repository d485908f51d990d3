"""Tests: the translations are complete, and every front end can show them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clip_grid
import pytest

ROOT = Path(clip_grid.__file__).parent
#: The English texts of nodes are only in the code, where each input is declared.
TRANSLATED = ("de", "fr", "zh")
LOCALES = ("en", *TRANSLATED)
#: What is the same in every language: tokens, file names, tags, numbers with a point.
UNTRANSLATED = re.compile(r"%\w+%|\b[\w-]+\.(?:csv|json|scores)\b|<[^>]+>|\[\w+\]|\b0\.\d+\b|#rrggbb|\\n")
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
    messages = locale(lang, "nodeDefs")

    assert list(messages) == list(clip_grid.NODE_CLASS_MAPPINGS)
    for node_id, node in clip_grid.NODE_CLASS_MAPPINGS.items():
        assert set(messages[node_id]) == {"display_name", "description", "inputs", "outputs"}
        assert list(messages[node_id]["inputs"]) == list(inputs_of(node)), node_id
        assert list(messages[node_id]["outputs"]) == [str(place) for place in range(len(node.RETURN_TYPES))], node_id
        slots = [*messages[node_id]["inputs"].values(), *messages[node_id]["outputs"].values()]
        assert all(set(slot) == {"name", "tooltip"} for slot in slots), node_id


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_translation_keeps_names_tokens_and_choices_as_they_are(lang):
    messages = locale(lang, "nodeDefs")

    for node_id, node in clip_grid.NODE_CLASS_MAPPINGS.items():
        for name, (kind, extra) in inputs_of(node).items():
            english, translated = extra["tooltip"], messages[node_id]["inputs"][name]["tooltip"]
            choices = kind if isinstance(kind, list) else []
            named = [one for one in choices if re.search(rf"\b{re.escape(one)}\b", english)]
            # a single one may be a word like any other
            explained = named if len(named) > 1 else []
            lost = [one for one in [*UNTRANSLATED.findall(english), *explained] if one not in translated]
            assert not lost, f"{node_id}.{name}"


@pytest.mark.parametrize("lang", LOCALES)
def test_no_text_holds_characters_that_some_front_ends_read_as_syntax(lang):
    for path in (ROOT / "locales" / lang).glob("*.json"):
        messages = json.loads(path.read_text("utf-8"))
        # the front end never reads these: web/lib/texts.mjs does
        messages.pop("clip_grid", None)

        assert [text for text in texts(messages) if not text.strip() or re.search(r"[{}@|]", text)] == [], path.name


@pytest.mark.parametrize("lang", LOCALES)
def test_every_setting_and_every_command_of_the_page_is_named(lang):
    named = {**locale(lang, "settings"), **locale(lang, "commands")}

    assert set(named) == {f"ClipGrid_{name}" for name in IDS.findall(page_code())}


def test_the_english_names_of_settings_and_commands_are_those_of_the_code():
    messages = {**locale("en", "settings"), **locale("en", "commands")}

    names = {key: (one.get("name") or one["label"]).removeprefix("CLIP Grid: ") for key, one in messages.items()}
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
