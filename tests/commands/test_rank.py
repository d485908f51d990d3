"""``clip-grid rank``: order, what is kept, and copies of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")


@pytest.mark.parametrize("words", [WORDS[0], WORDS[9], WORDS[11]])
def test_the_picture_that_the_text_describes_comes_first(shell: Shell, scenes: Path, words: str):
    report = shell("rank", scenes, "--text", f"a {words}", *DEMO, "--json").json

    assert WORDS[report["images"][0]["index"]] == words
    assert (report["kept"], report["rejected"]) == (1, 11)
    assert report["scale"] == f"cosine to 'a {words}'"


def test_the_table_names_the_scale_and_tells_what_is_kept(shell: Shell, scenes: Path):
    answer = shell("rank", scenes, "--text", "a red circle", "--k", "3", *DEMO)

    assert (answer.status, answer.err) == (0, "")
    assert answer.lines[0] == "3 of 12 kept; score: cosine to 'a red circle'; model: shapes-demo"
    assert answer.lines[1].split() == ["place", "score", "kept", "picture"]
    assert [line.split()[2] for line in answer.lines[2:]] == ["yes"] * 3 + ["no"] * 9
    assert answer.lines[2].endswith(str(scenes / "10.png"))
    scores = [float(line.split()[1]) for line in answer.lines[2:]]
    assert scores == sorted(scores, reverse=True)


def test_pictures_like_a_reference_come_first(shell: Shell, scenes: Path):
    report = shell("rank", scenes, "--like", scenes / "08.png", *DEMO, "--json").json

    assert report["images"][0]["index"] == 7
    assert "reference" in report["scale"]


def test_a_threshold_alone_means_above_it(shell: Shell, scenes: Path):
    command = ("rank", scenes, "--text", "a red circle", *DEMO, "--json")
    best, second, *_ = (one["score"] for one in shell(*command).json["images"])
    threshold = (best + second) / 2

    found = shell(*command, "--threshold", f"{threshold:.4f}").json["images"]

    assert [one["is_kept"] for one in found] == [True] + [False] * (len(found) - 1)


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (["--keep", "all"], 12),
        (["--keep", "top-k", "--k", "2", "--threshold", "0.9"], 2),
        (["--keep", "above-threshold", "--threshold", "0.99"], 0),
    ],
)
def test_what_is_kept_can_be_said(shell: Shell, scenes: Path, flags, kept):
    answer = shell("rank", scenes, "--text", "a red circle", *flags, *DEMO, "--list")

    assert (answer.status, len(answer.lines)) == (0, kept)


def test_the_list_of_kept_pictures_makes_a_sheet_of_them(shell: Shell, scenes: Path, tmp_path: Path):
    listed = shell("rank", scenes, "--text", "a red circle", "--k", "2", "--list", *DEMO)
    (tmp_path / "best.txt").write_text(listed.out, "utf-8")

    sheet = shell("export", tmp_path / "best.txt", tmp_path / "best.png", "--sort-by", "given", "--json")

    assert [cell["path"] for cell in sheet.json["cells"]] == listed.lines
    assert listed.lines[0] == str(scenes / "10.png")


def test_kept_pictures_are_copied_in_their_order_and_nothing_is_overwritten(shell: Shell, scenes: Path, tmp_path: Path):
    command = ("rank", scenes, "--text", "a red circle", "--k", "2", "--copy-to", tmp_path / "best", *DEMO)

    first, second = shell(*command), shell(*command)

    names = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert names[0] == "1-10.png" and len(names) == 2 and names[1].startswith("2-")
    assert (tmp_path / "best" / "1-10.png").read_bytes() == (scenes / "10.png").read_bytes()
    assert (first.status, second.status) == (0, 1)
    assert f"the folder {tmp_path / 'best'} is not empty" in second.err


def test_copies_whose_names_would_be_too_long_get_shorter_ones(shell: Shell, scenes: Path, tmp_path: Path):
    (scenes / "10.png").rename(scenes / f"{'日' * 83}ab.png")

    run = shell("rank", scenes, "--text", "a red circle", "--k", "3", "--copy-to", tmp_path / "best", *DEMO)

    assert run.status == 0, run.err
    copies = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert [name[:2] for name in copies] == ["1-", "2-", "3-"]
    assert all(name.endswith(".png") and len(name.encode()) <= 255 for name in copies)
    assert any("日~" in name for name in copies)


def test_near_duplicates_are_kept_once(shell: Shell, scenes: Path):
    (scenes / "13.png").write_bytes((scenes / "10.png").read_bytes())

    found = shell("rank", scenes, "--text", "a red circle", "--k", "2", "--duplicates", "0.98", *DEMO, "--json").json

    kept = [one["index"] for one in found["images"] if one["is_kept"]]
    assert len(kept) == 2 and len(set(kept) & {9, 12}) == 1


def test_a_broken_picture_is_last_and_means_status_3(shell: Shell, scenes: Path):
    (scenes / "05.png").write_bytes(b"")

    answer = shell("rank", scenes, "--text", "a red circle", *DEMO)

    assert answer.status == 3
    assert answer.lines[2].endswith(str(scenes / "10.png"))
    assert answer.lines[-1].split()[:4] == ["12", "–", "no", str(scenes / "05.png")]


def test_names_beyond_ascii_are_listed_whole(shell: Shell, scenes: Path):
    (scenes / "10.png").rename(scenes / "été 赤.png")

    answer = shell("rank", scenes, "--text", "a red circle", "--list", *DEMO)

    assert answer.lines == [str(scenes / "été 赤.png")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SCENES", "--text", "x", "--k", "0"], "k is 0"),
        (["SCENES", "--text", "x", "--keep", "some"], "keep is 'some'"),
        (["SCENES", "--text", "x", "--duplicates", "3"], "duplicates is 3"),
        (["nowhere", "--text", "x"], "there is no folder or file"),
        (["SCENES", "--like", "nowhere.png"], "nowhere.png"),
        (["SCENES", "--text", "x", "--copy-to", "SCENES"], "is not empty"),
        (["SCENES", "--text", " "], "--text is empty"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_found_before_the_model(shell: Shell, scenes: Path, arguments, message):
    given = [scenes if word == "SCENES" else word for word in arguments]

    answer = shell("rank", *given, "--model", "/no/such/model")

    assert (answer.status, answer.out) == (1, "")
    assert message in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["x"], ["--text", "x"], ["x", "--text", "a", "--like", "b"], ["x", "--text", "a", "--list", "--json"]],
)
def test_wrong_usage_is_status_2(shell: Shell, arguments):
    assert shell("rank", *arguments).status == 2
