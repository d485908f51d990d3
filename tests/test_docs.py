"""README and docs: what they link to is there, and what they list is what the program has."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import clip_grid
import pytest
from clip_grid import api
from clip_grid.api import GridTemplate
from clip_grid.cli import main
from clip_grid.options import options_of
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8"))

    for link in links:
        path, _, anchor = link.partition("#")
        if path.startswith("https://"):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in headings(target), link


def test_pictures_are_small_and_used():
    shown = {
        f"docs/{link}"
        for page in PAGES
        for link in re.findall(r"!\[[^\]]+\]\((?:docs/)?(images/[^)]+)\)", page.read_text("utf-8"))
    }
    pictures = sorted((ROOT / "docs" / "images").iterdir())

    assert {path.relative_to(ROOT).as_posix() for path in pictures} == shown
    for path in pictures:
        assert path.stat().st_size < 200_000, path
        with Image.open(path) as picture:
            assert picture.width <= 1200, path


def test_readme_lists_every_node_and_command(capsys):
    text = PAGES[0].read_text("utf-8")
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    ([a-z][a-z-]+)\b", capsys.readouterr().out, re.MULTILINE)

    # some names go on in brackets with words that people search for
    names = [name.partition(" (")[0] for name in clip_grid.NODE_DISPLAY_NAME_MAPPINGS.values()]
    assert [name for name in names if f"| **{name}** |" not in text] == []
    assert "export" in commands
    assert [name for name in commands if f"| `{name}` |" not in text] == []


def test_the_page_on_sheets_lists_every_option_once():
    text = (ROOT / "docs" / "sheets.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", text.partition("## All options")[2], re.MULTILINE)

    assert listed == list(options_of(GridTemplate))


def test_the_page_on_python_lists_names_and_keywords_that_are_there():
    table = (ROOT / "docs" / "python.md").read_text("utf-8").partition("## Names that scripts of other tools use")[2]
    cells = re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE)
    listed = [part for cell in cells for part in re.findall(r"`([^`]+)`", cell) if part[0].isalpha()]

    assert len(listed) >= 14
    for text in listed:
        name, _, keywords = text.partition("(")
        found = api
        for part in name.removeprefix("resolver.").split("."):
            found = getattr(api.ComfyUIPathResolver if text.startswith("resolver.") else found, part)
        known = inspect.signature(found).parameters if keywords else {}
        assert [word for word in re.findall(r"(\w+)=", keywords) if word not in known] == [], text
