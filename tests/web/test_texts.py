"""Texts of the browser parts: complete in every language, and shown in that of the settings."""

from __future__ import annotations

import ast
import json
import re

import pytest

from .outputs import matches, sheet
from .site import PACK, WEB

SHEET, MATCH, TEMPLATE = "ClipGrid_LabeledGridExporter", "ClipGrid_CLIPMatchScore", "ClipGrid_GridTemplate"
TRANSLATED = ("de", "fr", "zh")
ENGLISH_FILE = WEB / "lib" / "english.mjs"


def english():
    """The English texts by their keys: strings, or dictionaries of plural forms."""
    lines = re.findall(r'^  ("[\w.]+":\s+.+),$', ENGLISH_FILE.read_text("utf-8"), re.MULTILINE)
    # a string of JavaScript, in quotes of either kind, is one of Python as well
    return ast.literal_eval("{" + re.sub(r"\b(one|other): ", r'"\1": ', ", ".join(lines)) + "}")


def translation(locale):
    return json.loads((PACK / "locales" / locale / "main.json").read_text("utf-8"))["clip_grid"]


def forms(entry):
    """The text, or each of its plural forms."""
    return list(entry.values()) if isinstance(entry, dict) else [entry]


def names(entry):
    """The names in braces of each form."""
    return {frozenset(re.findall(r"\{(\w+)\}", form)) for form in forms(entry)}


def test_every_text_that_the_sources_use_exists_and_every_text_is_used():
    files = [path for path in WEB.rglob("*.*js") if path != ENGLISH_FILE]
    code = "\n".join(path.read_text("utf-8") for path in files)

    used = set(re.findall(r'\btext\("([^"]+)"', code))
    assert used - set(english()) == set()
    # keys may also stand in tables
    assert {key for key in english() if f'"{key}"' not in code} == set()


def test_no_text_that_is_shown_is_written_in_the_sources():
    # names of keys are the same everywhere; ComfyUI translates settings and the labels of commands by their files
    files = [path for path in WEB.rglob("*.*js") if path not in (ENGLISH_FILE, WEB / "settings.js")]
    shown = r'\b(?:text|title|placeholder|alt|"aria-label"|textContent)\b"?\s*[:=]\s*["`]([^"`]*)["`]'

    found = [text for path in files for text in re.findall(shown, path.read_text("utf-8"))]

    words = [text for text in found if re.search(r"[^\W\d_]{2,}", re.sub(r"\$\{[^}]*\}?", "", text))]
    assert set(words) - set(english()) <= {"Esc", "Enter"}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_has_the_texts_with_their_values_and_nothing_else(locale):
    texts = translation(locale)

    assert list(texts) == list(english())
    for key, entry in english().items():
        assert names(texts[key]) == names(entry), key
        assert isinstance(texts[key], dict) == isinstance(entry, dict), key
        assert all(form.strip() for form in forms(texts[key])), key


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_keeps_the_names_of_inputs_and_choices(locale):
    typed = r"\b(?:label_position|over|below|above|sidecar|csv)\b"
    texts = translation(locale)

    for key, entry in english().items():
        if key.startswith(("edit.", "sheet.", "save.")):
            assert set(re.findall(typed, str(entry), re.ASCII)) <= set(re.findall(typed, str(texts[key]), re.ASCII)), (
                key
            )


@pytest.mark.parametrize("locale", TRANSLATED)
def test_the_viewer_speaks_the_language_of_the_settings(page_of, locale):
    texts = translation(locale)
    stub = page_of(SHEET, locale=locale)
    stub.finish(sheet(["cat", "dog", "ant"]))

    stub.node().get_by_text(texts["node.open"], exact=True).click()
    stub.page.keyboard.press("w")
    stub.page.keyboard.press("ArrowRight")
    shown = stub.viewer.inner_text()
    stub.page.keyboard.press("?")

    assert texts["count.pictures"]["other"].replace("{count}", "3") in stub.node().inner_text()
    for key in ("mode.compare", "save.page", "cells.sort_by", "order.sheet", "fact.source", "cell.edit"):
        assert texts[key] in shown, key
    assert texts["cell.place"].replace("{row}", "1").replace("{column}", "2") in shown
    assert texts["help.select"] in stub.viewer.locator(".clip-grid-help").inner_text()
    assert not re.search(r"Save page|Sort by|label from|Choose|Edit label", shown)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_scores_previews_and_notices_speak_the_language_of_the_settings(page_of, locale):
    texts = translation(locale)
    stub = page_of(MATCH, TEMPLATE, locale=locale)
    assert texts["scores.hint"] in stub.node().inner_text()

    stub.finish(matches("a red circle", "a blue square", "a hat"))
    stub.command("EditLabels")
    stub.node(1).locator(".clip-grid-plan-sheet svg").wait_for()

    rows = stub.node().locator(".clip-grid-score")
    assert f"{texts['scale.cosine']} 0.310" in rows.first.inner_text()
    assert f"? {texts['match.unclear']}" in rows.first.inner_text()
    assert texts["match.weak"] in rows.nth(1).inner_text() and texts["match.mismatch"] in rows.nth(2).inner_text()
    assert texts["layout.pictures"] in stub.node(1).inner_text()
    stub.page.wait_for_function("() => app.extensionManager.notices.length > 0")
    assert stub.notices()[0]["summary"] == texts["edit.no_node"]


def test_a_variety_of_a_language_is_shown_in_that_language_and_an_unknown_one_in_english(page_of):
    taiwan, japan = page_of(MATCH, locale="zh-TW"), page_of(MATCH, locale="ja")

    assert translation("zh")["scores.hint"] in taiwan.node().inner_text()
    assert english()["scores.hint"] in japan.node().inner_text()


def test_another_language_is_shown_in_nodes_that_are_created_after_the_change(page_of):
    stub = page_of(MATCH)

    stub.setting("Comfy.Locale", "de")
    stub.add(MATCH)

    assert translation("de")["scores.hint"] in stub.node(1).inner_text()


def test_texts_are_english_where_the_server_has_no_translations(page_of, site):
    site.has_translations = False

    stub = page_of(MATCH, locale="de")

    stub.trouble.expect("404")
    assert english()["scores.hint"] in stub.node().inner_text()
