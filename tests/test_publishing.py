"""Tests: what the Comfy registry and ComfyUI-Manager read of this pack without running it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import clip_grid
import pytest

ROOT = Path(__file__).resolve().parent.parent
#: ComfyUI shows the JSON files of these folders as workflows, so that other JSON files stay out of them.
TEMPLATE_FOLDERS = ("example_workflows", "example", "examples", "workflow", "workflows")


def pyproject() -> dict[str, dict[str, str]]:
    """The plain values of each table; Python 3.10 has no reader of TOML."""
    tables: dict[str, dict[str, str]] = {}
    table: dict[str, str] = {}
    for line in (ROOT / "pyproject.toml").read_text("utf-8").splitlines():
        if head := re.fullmatch(r"\[([\w.-]+)\]", line):
            table = tables.setdefault(head[1], {})
        elif pair := re.fullmatch(r'([\w-]+) = "(.*)"', line):
            table[pair[1]] = pair[2]
    return tables


def test_the_registry_is_told_who_publishes_what_for_which_comfyui():
    told = pyproject()

    assert told["tool.comfy"].items() >= {"PublisherId": "clip-grid", "DisplayName": "CLIP Grid"}.items()
    assert told["tool.comfy"]["requires-comfyui"] == ">=0.3.64"
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["project"]["version"])
    assert re.fullmatch(r"[a-z][a-z0-9-]{2,99}", told["project"]["name"]) and "comfyui" not in told["project"]["name"]


def test_a_url_that_is_given_is_a_real_one():
    told = pyproject()
    urls = [*told.get("project.urls", {}).values(), *(told["tool.comfy"].get(name) for name in ("Icon", "Banner"))]

    assert not [url for url in urls if url and not re.fullmatch(r"https://[\w.-]+/[^<>\s]+", url)]


@pytest.mark.skipif(not shutil.which("bash"), reason="the workflow's step is a bash script")
def test_the_three_urls_stand_together_and_publishing_goes_on_once_they_are_filled_in(tmp_path):
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    places = [text.index(f"# {name} = ") for name in ("Repository", "Icon", "Banner")]
    assert text[places[0] : places[2]].count("\n") < 10
    filled = re.sub(r"^# (?=(Repository|Icon|Banner) = )", "", text, flags=re.MULTILINE)
    for given, value in (("HOST", "h"), ("OWNER", "o"), ("NAME", "r")):
        filled = filled.replace(given, value)
    (tmp_path / "pyproject.toml").write_text(filled, "utf-8")
    workflow = (ROOT / ".github" / "workflows" / "publish.yml").read_text("utf-8")
    script = re.search(r"run: \|\n(.*?)\n      #", workflow, re.DOTALL)[1]
    version = pyproject()["project"]["version"]
    told = {"GITHUB_REF_NAME": f"v{version}", "GITHUB_SERVER_URL": "https://h", "GITHUB_REPOSITORY": "o/r"}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=told, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("name", "width", "height"), [("icon", 400, 400), ("banner", 2100, 900)])
def test_the_drawings_have_the_shapes_that_the_registry_wants_and_load_nothing(name, width, height):
    path = ROOT / "assets" / f"{name}.svg"
    drawing = ElementTree.parse(path).getroot()

    assert (drawing.get("width"), drawing.get("height")) == (str(width), str(height))
    assert drawing.get("viewBox") == f"0 0 {width} {height}"
    used = {node.tag.rpartition("}")[2] for node in drawing.iter()}
    assert used <= {"svg", "title", "rect", "circle", "path", "text"}
    assert "href" not in path.read_text("utf-8")


def test_the_archive_leaves_out_what_users_do_not_need():
    ignored = (ROOT / ".comfyignore").read_text("utf-8").split()

    assert {"tests/", "benchmarks/", ".ci/", ".github/"} <= set(ignored)
    assert not {"web/", "locales/", "nodes/", "example_workflows/", "examples/"} & set(ignored)


def test_scanners_that_read_text_or_syntax_find_the_same_nodes():
    text = (ROOT / "__init__.py").read_text("utf-8")
    # as the Manager did for years, and as it does now
    by_text = re.findall(r'"([^"]*)"\s*:', re.search(r"_CLASS_MAPPINGS\s*=\s*{([^}]*)}", text)[1])
    by_syntax = [
        ast.literal_eval(key)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        if any(isinstance(one, ast.Name) and one.id == "NODE_CLASS_MAPPINGS" for one in node.targets)
        for key in node.value.keys
    ]

    assert by_text == by_syntax
    assert len(by_text) == len(set(by_text)) and all(re.fullmatch(r"ClipGrid_\w+", name) for name in by_text)


def test_only_workflows_of_the_page_lie_where_comfyui_looks_for_them():
    files = [path for folder in TEMPLATE_FOLDERS for path in (ROOT / folder).glob("*.json")]

    assert files
    for path in files:
        workflow = json.loads(path.read_text("utf-8"))
        assert isinstance(workflow.get("nodes"), list) and path.with_suffix(".jpg").is_file(), path


@pytest.mark.skipif(not shutil.which("bash"), reason="the workflow's step is a bash script")
def test_the_publishing_workflow_stops_while_no_public_url_is_known(tmp_path):
    workflow = (ROOT / ".github" / "workflows" / "publish.yml").read_text("utf-8")
    script = re.search(r"run: \|\n(.*?)\n      #", workflow, re.DOTALL)[1]
    (tmp_path / "pyproject.toml").write_text('version = "1.2.0"\n', "utf-8")
    told = {"GITHUB_REF_NAME": "v1.2.0", "GITHUB_SERVER_URL": "https://h", "GITHUB_REPOSITORY": "o/r"}

    def run():
        return subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=told, capture_output=True, text=True)

    assert "has no Repository" in run().stdout
    lines = ['version = "1.2.0"', 'Repository = "https://h/o/r"', 'Icon = "https://h/raw/assets/icon.svg"']
    (tmp_path / "pyproject.toml").write_text("\n".join(lines), "utf-8")
    assert "has no Banner" in run().stdout
    lines.append('Banner = "https://h/raw/assets/banner.svg"')
    (tmp_path / "pyproject.toml").write_text("\n".join(lines), "utf-8")
    assert run().returncode == 0
    (tmp_path / "pyproject.toml").write_text("\n".join(["version = '1.3.0'", *lines[1:]]), "utf-8")
    assert "not that of the tag" in run().stdout


@pytest.mark.parametrize("page", sorted((ROOT / "web" / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_help_page_has_an_example_outputs_and_limits_and_its_pictures_are_there(page):
    text = page.read_text("utf-8")

    assert re.search(r"^## Example$", text, re.MULTILINE)
    assert re.search(r"^## Outputs?$", text, re.MULTILINE)
    assert re.search(r"^## (Known limits|If it fails)$", text, re.MULTILINE)
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    # ComfyUI takes these paths from the folder of the page
    assert all((page.parent / picture).stat().st_size < 100_000 for picture in pictures)
    templates = re.findall(r"\*([a-z]+_[a-z_]+)\* (?:of this pack|and)", text)
    assert all((ROOT / "example_workflows" / f"{name}.json").is_file() for name in templates), templates


@pytest.mark.parametrize("page", sorted((ROOT / "web" / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_help_page_is_there_in_chinese_with_the_same_parts(page):
    english, chinese = page.read_text("utf-8"), (page.parent / page.stem / "zh.md").read_text("utf-8")

    def parts(text):
        code = re.findall(r"^```$.*?^```$", text, re.MULTILINE | re.DOTALL)
        plain = re.sub(r"^```$.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        tokens = {token for token in re.findall(r"`([^`]+)`", plain) if re.fullmatch(r"[\x21-\x7e ]+", token)}
        return {
            "headings": len(re.findall(r"^## ", plain, re.MULTILINE)),
            "rows": len(re.findall(r"^\|", plain, re.MULTILINE)),
            "pictures": re.findall(r"\]\((images/[^)]+)\)", plain),
            "code": len(code),
            "tokens": tokens,
        }

    told, translated = parts(english), parts(chinese)
    # a report in the English table is described in words
    lost = {token for token in told.pop("tokens") - translated.pop("tokens") if not token.startswith("{")}
    assert (translated, lost) == (told, set())


@pytest.mark.parametrize(
    ("words", "node_id"),
    [
        ("contact sheet", "LabeledGridExporter"),
        ("grid", "LabeledGridExporter"),
        ("save grid", "LabeledGridExporter"),
        ("xy plot", "LabeledGridExporter"),
        ("montage", "LabeledGridExporter"),
        ("folder", "BatchLabeledGridExporter"),
        ("clip score", "CLIPMatchScore"),
        ("similarity", "CLIPMatchScore"),
        ("caption", "CLIPLabel"),
        ("tag", "CLIPLabel"),
        ("best of n", "RankImages"),
    ],
)
def test_a_node_is_found_by_the_words_that_users_type(words, node_id):
    # search looks at them in every front end that ComfyUI tells them to; 1.27 looks at names alone
    assert words in clip_grid.NODE_CLASS_MAPPINGS[f"ClipGrid_{node_id}"].SEARCH_ALIASES
