"""``clip-grid label``: the table, the JSON, the CSV file, and what is refused."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A file of labels, one per line."""
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS), "utf-8")
    return path


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labels_of(report: dict) -> list[str]:
    return [one["label"] for one in report["images"]]


def test_every_picture_gets_the_label_that_is_true_of_it(shell: Shell, scenes: Path, words: Path):
    answer = shell("label", scenes, "--labels", words, *DEMO, "--json")

    assert (answer.status, answer.err) == (0, "")
    assert labels_of(answer.json) == list(WORDS)
    assert [Path(one["path"]).name for one in answer.json["images"]][::11] == ["01.png", "12.png"]
    assert all("softmax over 12 labels" in one["scale"] for one in answer.json["images"])


def test_the_table_names_its_scale_and_gives_each_picture_a_line(shell: Shell, scenes: Path, words: Path):
    answer = shell("label", scenes, "--labels", words, *DEMO)

    assert answer.status == 0
    assert "probability: softmax over 12 labels" in answer.lines[0] and "model: shapes-demo" in answer.lines[0]
    assert answer.lines[1].split() == ["label", "probability", "next", "best", "picture"]
    assert [line.split("  ")[0] for line in answer.lines[2:]] == list(WORDS)
    assert answer.lines[2].endswith(str(scenes / "01.png"))
    starts = {line.index(str(scenes)) for line in answer.lines[2:]}
    assert len(starts) == 1


def test_transparent_pixels_lie_on_the_background_that_is_asked_for(shell: Shell, scenes: Path, words: Path):
    scene = Image.open(scenes / "02.png").convert("RGB")
    scene.putalpha(Image.new("L", scene.size, 0))
    scene.save(scenes / "hidden.png")
    Image.new("RGB", scene.size, "white").save(scenes / "white.png")

    def scores(name: str, *flags: str) -> dict[str, float]:
        answer = shell("label", scenes / name, "--labels", words, *DEMO, "--json", *flags)
        return {one["label"]: one["cosine"] for one in answer.json["images"][0]["top"]}

    white = pytest.approx(scores("white.png"), abs=1e-5)
    assert scores("hidden.png", "--picture-background", "white") == white
    assert scores("hidden.png") != white
    assert shell("label", scenes, *DEMO, "--picture-background", "pink").status == 2


@pytest.mark.parametrize("given", [("red circle", "white star"), ("red circle, white star",)])
def test_labels_may_be_given_one_by_one_or_between_commas(shell: Shell, scenes: Path, given):
    answer = shell("label", scenes / "02.png", scenes / "10.png", "--labels", *given, *DEMO, "--json")

    assert labels_of(answer.json) == ["white star", "red circle"]


def test_pictures_may_stand_behind_the_labels_after_two_dashes(shell: Shell, scenes: Path):
    answer = shell("label", *DEMO, "--json", "--labels", "red circle", "white star", "--", scenes / "02.png")

    assert labels_of(answer.json) == ["white star"]


def test_a_vocabulary_of_facets_is_asked_facet_by_facet(shell: Shell, scenes: Path, tmp_path: Path):
    colours, shapes = (sorted({words.split()[place] for words in WORDS}) for place in (0, 1))
    vocabulary = tmp_path / "facets.json"
    vocabulary.write_text(json.dumps({"colour": {"labels": colours}, "shape": {"labels": shapes}}))

    answer = shell("label", scenes, "--vocabulary", vocabulary, *DEMO, "--json")

    found = [set(one["facets"].values()) for one in answer.json["images"]]
    assert sum(one == set(words.split()) for one, words in zip(found, WORDS, strict=True)) >= 10


def test_top_k_shows_as_many_labels_in_the_table_and_in_json(shell: Shell, scenes: Path, words: Path):
    command = ("label", scenes / "01.png", "--labels", words, *DEMO, "--top-k", "4")

    assert shell(*command).lines[2].count(", ") == 2
    assert len(shell(*command, "--json").json["images"][0]["top"]) == 4


def test_a_picture_that_shows_none_of_the_labels_says_so(shell: Shell, scenes: Path):
    answer = shell("label", scenes / "01.png", "--labels", "red circle", "green star", *DEMO)

    assert answer.lines[2].startswith(("none of these", "unlabeled"))


def test_contrast_labels_are_all_different(shell: Shell, scenes: Path, words: Path):
    (scenes / "13.png").write_bytes((scenes / "12.png").read_bytes())

    found = labels_of(shell("label", scenes, "--labels", words, "--contrast", *DEMO, "--json").json)

    assert len(set(found)) == 13
    assert "red circle" in found


# --- the CSV file


def test_the_csv_file_has_a_row_per_picture_and_feeds_a_sheet(shell: Shell, scenes: Path, words: Path, tmp_path: Path):
    table = tmp_path / "labels.csv"

    answer = shell("label", scenes, "--labels", words, "--csv", table, *DEMO)
    sheet = shell("export", scenes, tmp_path / "sheet.png", "--csv", table, "--json")

    rows = rows_of(table)
    assert answer.status == 0
    assert [row["label"] for row in rows] == list(WORDS)
    assert list(rows[0])[:6] == ["path", "label", "score", "scale", "source", "labels"]
    assert rows[0]["runner_up"] in WORDS and 0 <= float(rows[0]["runner_up_probability"]) < float(rows[0]["score"]) <= 1
    assert [cell["label"] for cell in sheet.json["cells"]] == list(WORDS)
    assert sheet.json["label_sources"] == {"csv": 12}


def test_the_csv_file_replaces_its_like_and_no_other_table(shell: Shell, scenes: Path, tmp_path: Path):
    mine, other = tmp_path / "mine.csv", tmp_path / "seeds.csv"
    other.write_text("filename,seed\n01.png,7\n")
    command = ("label", scenes / "01.png", "--labels", "white cross", *DEMO, "--csv")

    assert [shell(*command, mine).status for _ in range(2)] == [0, 0]
    refused = shell(*command, other)
    assert (refused.status, refused.out) == (1, "")
    assert "seeds.csv is there already and has other columns" in refused.err and "--overwrite" in refused.err
    assert other.read_text().startswith("filename,seed")
    assert shell(*command, other, "--overwrite").status == 0


def test_names_beyond_ascii_and_such_as_look_like_formulas_arrive_whole(shell: Shell, scenes: Path, tmp_path: Path):
    (scenes / "02.png").rename(scenes / "星 ☆.png")
    (scenes / "10.png").rename(scenes / "=1+1.png")
    table = tmp_path / "labels.csv"
    files = (scenes / "星 ☆.png", scenes / "=1+1.png")

    answer = shell("label", *files, "--labels", "weißer Stern, white star", "red circle", "--csv", table, *DEMO)

    assert answer.status == 0
    assert str(scenes / "星 ☆.png") in answer.out
    rows = rows_of(table)
    assert [row["path"] for row in rows] == [str(file) for file in files]


def test_a_relative_name_that_looks_like_a_formula_is_made_safe(shell: Shell, scenes: Path, monkeypatch):
    monkeypatch.chdir(scenes)
    (scenes / "10.png").rename(scenes / "=1+1.png")

    shell("label", "=1+1.png", "--labels", "red circle", "--csv", "labels.csv", *DEMO)

    assert (scenes / "labels.csv").read_text("utf-8").splitlines()[1].startswith("'=1+1.png,")


# --- what goes wrong


def test_a_broken_picture_costs_itself_alone_and_means_status_3(shell: Shell, scenes: Path, words: Path):
    (scenes / "05.png").write_bytes((scenes / "05.png").read_bytes()[:200])

    answer = shell("label", scenes, "--labels", words, *DEMO)

    assert answer.status == 3
    assert len(answer.lines) == 2 + 11
    assert answer.err.startswith(f"note: left out {scenes / '05.png'}: ")
    assert shell("label", scenes, "--labels", words, *DEMO, "--quiet").err == ""


def test_many_broken_pictures_are_counted(shell: Shell, scenes: Path, words: Path):
    for number in range(1, 12):
        (scenes / f"{number:02}.png").write_bytes(b"")

    answer = shell("label", scenes, "--labels", words, *DEMO)

    assert answer.status == 3
    assert answer.err.count("left out") == 10
    assert answer.err.endswith("note: and 1 more; --json lists them\n")


def test_when_no_picture_can_be_read_the_status_is_1(shell: Shell, scenes: Path):
    (scenes / "01.png").write_bytes(b"")

    answer = shell("label", scenes / "01.png", "--labels", "red circle", *DEMO, "--quiet")

    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "error: none of the pictures could be read\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "nowhere.txt"], "nowhere.txt"),
        (["--labels", "EMPTY"], "empty.txt"),
        (["--labels", "LATIN"], "latin.txt"),
        (["--labels", "OTHER"], "words.md is no vocabulary by its ending; save it as .txt, .csv or .json"),
        (["--vocabulary", "OTHER"], "words.md is no vocabulary by its ending"),
        (["--labels", ""], "empty"),
        (["--labels", "red", " "], "label 2 of 2 is empty"),
        (["--labels", "a.txt", "b"], "'a.txt' among other labels; give one file, or labels alone"),
        (["--vocabulary", "nowhere.json"], "nowhere.json"),
        (["--labels", "red", "--threshold", "2"], "threshold is 2; it must be in the range 0 to 1"),
        (["--labels", "red", "--top-k", "0"], "top_k is 0"),
        (["--labels", "red", "--margin", "-1"], "margin is -1; it must be in the range 0 to 1"),
        (["--labels", "red", "--csv", "."], ". is a folder"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_found_before_the_model(
    shell: Shell, scenes: Path, tmp_path: Path, arguments, message
):
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    (tmp_path / "latin.txt").write_bytes("Gr\xfcn\n".encode("latin-1"))
    (tmp_path / "words.md").write_text("red\nblue\n")
    named = {"EMPTY": tmp_path / "empty.txt", "LATIN": tmp_path / "latin.txt", "OTHER": tmp_path / "words.md"}
    model = (
        ("--model", tmp_path / "no-such-model") if "--templates" not in arguments and "--csv" not in arguments else DEMO
    )

    answer = shell("label", scenes, *(named.get(word, word) for word in arguments), *model)

    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("error: ") and answer.err.count("\n") == 1
    assert message in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no folder or file"),
        (["EMPTY"], "there are no pictures"),
        (["SCENES", "--model", "no-such-model"], "'no-such-model'"),
        (["SCENES", "--model", "shapes-demo", "--device", "tpu"], "device is 'tpu'"),
        (["SCENES", "--model", "shapes-demo", "--dtype", "int8"], "dtype is 'int8'"),
        (["SCENES", "--model", "shapes-demo", "--templates", "a photo"], "'a photo' must hold {} once"),
    ],
)
def test_pictures_and_models_that_are_not_there_are_told_by_name(
    shell: Shell, scenes: Path, tmp_path: Path, no_models, arguments, message
):
    (tmp_path / "empty").mkdir()
    named = {"EMPTY": tmp_path / "empty", "SCENES": scenes}

    answer = shell("label", *(named.get(word, word) for word in arguments), "--labels", "red", "blue")

    assert (answer.status, answer.out) == (1, "")
    assert message in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["--labels", "red"], ["--labels", "red", "--vocabulary", "x.txt"], ["x", "--nonsense"], ["x", "--labels"]],
)
def test_wrong_usage_is_status_2(shell: Shell, arguments):
    answer = shell("label", *arguments)

    assert answer.status == 2
    assert answer.err


# --- which model


def test_the_model_that_the_machine_names_is_taken_and_told(shell: Shell, scenes: Path, monkeypatch):
    monkeypatch.setenv("CLIP_GRID_MODEL", "shapes-demo")

    answer = shell("label", scenes / "02.png", "--labels", "white star", "red circle", "--json")

    assert labels_of(answer.json) == ["white star"]
    assert answer.json["notes"][0] == "the model is shapes-demo, which CLIP_GRID_MODEL names"
    assert answer.err.startswith("note: the model is shapes-demo")


def test_without_torch_it_is_told_what_to_install(shell: Shell, scenes: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    answer = shell("label", scenes, "--labels", "red", *DEMO)

    assert answer.status == 1
    assert "torch must be there" in answer.err and "pip install" in answer.err


def test_embeddings_are_kept_where_asked(shell: Shell, scenes: Path, tmp_path: Path):
    shell("label", scenes, "--labels", "red", "blue", "--model", "shapes-demo", "--cache", tmp_path / "kept")

    assert (tmp_path / "kept" / "embeddings.sqlite").is_file()


def test_a_size_of_the_cache_that_is_no_size_is_refused(shell: Shell, scenes: Path, tmp_path: Path):
    flags = ("--model", "shapes-demo", "--cache", tmp_path, "--cache-size", "0")

    answer = shell("label", scenes, "--labels", "red", "blue", *flags)

    assert answer.status == 1
    assert "give the size in GB, a number above 0 such as 4" in answer.err
