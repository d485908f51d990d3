"""Typical mistakes on the command line end with one line: what is wrong, and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from .drawn import Shell


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serach", "fox"], "there is no command 'serach'; did you mean search? see: clip-grid --help"),
        (["labels"], "there is no command 'labels'; did you mean label? see: clip-grid --help"),
        (["test"], "there is no command 'test'; did you mean match? see: clip-grid --help"),
        (["batch-test"], "there is no command 'batch-test'; did you mean match-batch? see: clip-grid --help"),
        (
            ["export", ".", "o.png", "--colums", "3"],
            "there is no flag --colums; did you mean --columns? see: clip-grid export --help",
        ),
        (
            ["export", ".", "o.png", "--label-postion=below"],
            "there is no flag --label-postion; did you mean --label-position? see: clip-grid export --help",
        ),
        (["models", "--xyzzy"], "there is no flag --xyzzy; see: clip-grid models --help"),
        (["templates", "all"], "unexpected 'all'; see: clip-grid templates --help"),
        (
            ["export", ".", "o.png", "--columns"],
            "--columns needs a value: --columns N; see: clip-grid export --help",
        ),
        (
            ["export", ".", "o.png", "--cell-size", "20"],
            "--cell-size needs 2 values: --cell-size W H; see: clip-grid export --help",
        ),
        (
            ["match", "a.png", "--text"],
            "--text needs at least one value: --text TEXT; see: clip-grid match --help",
        ),
        (["match", "a.png"], "give --text TEXT; see: clip-grid match --help"),
        (["rank", "a.png"], "give --text TEXT or --like IMAGE; see: clip-grid rank --help"),
        (["evaluate"], "give RUN and DATA; see: clip-grid evaluate --help"),
        (["rank", "a.png", "--model"], "--model needs a value: --model MODEL; see: clip-grid rank --help"),
        (
            ["export", ".", "o.png", "--resize-mode", "fil"],
            "--resize-mode is 'fil'; it must be one of fit, fill, stretch; did you mean fill?"
            " see: clip-grid export --help",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_what_was_meant(shell: Shell, arguments, message):
    answer = shell(*arguments)

    assert (answer.status, answer.out, answer.err) == (2, "", f"error: {message}\n")


def test_an_unknown_command_without_a_near_one_lists_those_that_there_are(shell: Shell):
    answer = shell("xyzzy")

    assert answer.status == 2
    assert answer.err.startswith("error: there is no command 'xyzzy'; choose from export, label, match, match-batch,")
    assert answer.err.count("\n") == 1


def test_matching_without_pictures_says_where_they_stand(shell: Shell):
    answer = shell("match", "--text", "a cat", "a.png")

    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        "error: give the pictures, before --text, as in: clip-grid match renders/ --text 'a red car'\n"
    )


def test_a_picture_to_match_may_be_named_without_a_flag(shell: Shell, tmp_path: Path):
    answer = shell("match", tmp_path / "none.png", "--text", "a cat")

    assert answer.status == 1
    assert str(tmp_path / "none.png") in answer.err and answer.err.count("\n") == 1
