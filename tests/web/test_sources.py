"""Rules that the sources of the extensions keep, checked without a browser."""

from __future__ import annotations

import re

from .site import WEB

SOURCES = sorted([*WEB.rglob("*.js"), *WEB.rglob("*.mjs")])
#: Functions and properties that make markup or code of text.
DANGEROUS = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\b|new Function\b"


def read(path):
    return path.read_text("utf-8")


def matches(pattern):
    """The matches in each source that has any."""
    return {path.relative_to(WEB).as_posix(): hits for path in SOURCES if (hits := re.findall(pattern, read(path)))}


def imports(path):
    """The files that the module imports."""
    named = re.findall(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\s]+)["']""", read(path))
    # as served: /extensions/<pack>/ is this folder, and /scripts/ lies two above it
    return [(path.parent / name).resolve() for name in named]


def test_every_source_has_its_types_checked():
    assert [path for path in SOURCES if not read(path).startswith("// @ts-check\n")] == []


def test_of_comfyui_only_app_and_api_are_imported():
    foreign = {target for path in SOURCES for target in imports(path) if WEB not in target.parents}

    assert {target.relative_to(WEB.parents[1]).as_posix() for target in foreign} == {"scripts/app.js", "scripts/api.js"}


def test_every_import_is_a_file_and_every_helper_is_imported():
    used = {target for path in SOURCES for target in imports(path) if WEB in target.parents}

    assert [target for target in used if not target.is_file()] == []
    assert set(WEB.rglob("*.mjs")) - used == set()


def test_text_never_becomes_markup_or_code():
    assert matches(DANGEROUS) == {}


def test_no_source_names_another_server():
    # the namespace of SVG, and the link on the about page
    allowed = r"http://www\.w3\.org/|https://registry\.comfy\.org/"

    assert matches(rf"""\b(?!{allowed})(?:https?|wss?)://[^\s"'`]*""") == {}


def test_every_js_file_registers_one_extension_and_helpers_none():
    counts = {path: len(re.findall(r"\bregisterExtension\(", read(path))) for path in SOURCES}

    assert {path.name: count for path, count in counts.items() if count != (path.suffix == ".js")} == {}


def test_the_style_sheet_loads_no_other_file():
    assert re.findall(r"url\(|@import", (WEB / "clip_grid.css").read_text("utf-8")) == []
