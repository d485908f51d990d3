"""Searching an index by the command line and the API, with the bundled model and scenes whose truth is known."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from clip_grid.api.index import index_images
from clip_grid.api.search import search, weighted
from clip_grid.cli import main
from clip_grid.errors import InputError
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

MODEL = "shapes-demo"
COLORS = ("red", "blue", "green", "yellow")


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A circle and a square of each color, with generation data, and their index beside them."""
    folder = tmp_path_factory.mktemp("search") / "renders"
    folder.mkdir()
    for n, color in enumerate(COLORS):
        for shape in ("circle", "square"):
            image = Image.new("RGB", (64, 64), "white")
            draw = ImageDraw.Draw(image)
            (draw.ellipse if shape == "circle" else draw.rectangle)((12, 12, 52, 52), color)
            texts = PngInfo()
            texts.add_text("parameters", f"{color} thing\nSteps: 20, Seed: {n}, CFG scale: {4 + n}")
            image.save(folder / f"{color} {shape}.png", pnginfo=texts)
    for path in folder.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    index_images(folder, index=folder.parent / "index", model=MODEL)
    return folder


@pytest.fixture(autouse=True)
def index(renders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLIP_GRID_INDEX", str(renders.parent / "index"))
    return renders.parent / "index"


def names(*arguments: object, **options: object) -> list[str]:
    return [Path(hit.picture.path).stem for hit in search(*arguments, **options).hits]


@pytest.mark.parametrize("color", COLORS)
def test_a_text_finds_what_it_names(color):
    assert set(names(f"a {color} circle", top=2)) & {f"{color} circle"}


def test_texts_and_pictures_are_added_and_taken_away(renders):
    red = renders / "red square.png"

    assert "red square" not in names(like=red, top=7)
    assert names("a circle", like=red, top=1) == ["red circle"]
    assert names("a square", without="red", top=1)[0] != "red square"
    assert names(like=Image.open(red), top=1) == ["red square"]


def test_filters_and_keywords_choose_by_generation_data():
    assert sorted(names(where="seed=1")) == ["blue circle", "blue square"]
    assert sorted(names(where="cfg>5 and not seed=3")) == ["green circle", "green square"]
    assert sorted(names(keywords="yellow")) == ["yellow circle", "yellow square"]
    with pytest.raises(InputError, match="sed"):
        names(where="sed=1")


def test_a_model_of_another_space_is_refused(tmp_path, index):
    class Other:
        space = "another"

        class identity:
            name = "other.safetensors"

    with pytest.raises(InputError, match=r"holds embeddings of shapes-demo.*other\.safetensors has another"):
        search("a cat", model=Other())


def test_the_command_prints_a_table_a_list_json_and_a_sheet(renders, tmp_path, capsys):
    assert main(["search", "a red circle", "--top", "3", "--grid", str(tmp_path / "hits.png")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("3 of 8 pictures; index of 8, model: shapes-demo\n")
    assert str(renders / "red circle.png") in out
    assert f"wrote {tmp_path / 'hits.png'}" in err
    with Image.open(tmp_path / "hits.png") as sheet:
        assert sheet.width > 3 * 64
    cells = json.loads((tmp_path / "hits.json").read_text())["cells"]
    assert cells[0]["label"].startswith("red circle.png\nz ")
    assert all(re.fullmatch(r".+\.png\nz -?\d+\.\d(, weak)?", cell["label"]) for cell in cells)

    assert main(["search", "a red circle", "--top", "2", "--list"]) == 0
    assert str(renders / "red circle.png") in capsys.readouterr().out.splitlines()

    assert main(["search", "--where", "seed=0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["total"], report["passed"], len(report["hits"])) == (8, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "seed=99"], "no picture passes the filter of --where"),
        (["--keywords", "elephant"], "no picture has these keywords"),
        (["red::0"], "the weight of 'red::0' is 0"),
        (["red", "--top", "0"], "top is 0"),
        (["--like", "nothing.png"], "nothing.png"),
        (["red", "--index", "nowhere"], "there is no index in nowhere"),
    ],
)
def test_what_cannot_be_found_is_said_in_a_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["search", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red fox", ("red fox", 1.0)),
        ("red fox::2", ("red fox", 2.0)),
        ("a::b::.5", ("a::b", 0.5)),
        ("a::b", ("a::b", 1.0)),
    ],
)
def test_a_weight_stands_after_two_colons(text, expected):
    assert weighted(text) == expected


@pytest.mark.parametrize("text", ["", " ", "::2", " ::0.5"])
def test_a_weight_needs_a_text(text, renders, capsys):
    with pytest.raises(InputError, match="has no text; write what to look for"):
        weighted(text)
    assert main(["search", text]) == 1
    assert "has no text" in capsys.readouterr().err


def test_weak_hits_can_be_left_out_in_python_and_on_the_command_line(renders, capsys):
    index = renders.parent / "index"
    every = search("a red circle", index=index, model=MODEL, top=8)
    strong = search("a red circle", index=index, model=MODEL, top=8, strong=True)

    status = main(
        ["search", "a red circle", "--index", str(index), "--model", MODEL, "--top", "8", "--strong", "--json"]
    )
    told = json.loads(capsys.readouterr().out)

    assert 0 < len(strong.hits) < len(every.hits) == 8
    assert [hit.picture.id for hit in strong.hits] == [hit.picture.id for hit in every.hits if not hit.is_weak]
    assert (status, [hit["id"] for hit in told["hits"]]) == (0, [hit.picture.id for hit in strong.hits])
