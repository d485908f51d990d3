"""Tests: no option waits for a pipe that is given in place of a file, whatever it would read or write there."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from clip_grid.commands import export, label, match, match_batch, program, rank
from PIL import Image

from .drawn import Shell

#: What each command is given beside the pipe.
GIVEN = {
    "export": ["pictures", "out.png"],
    "label": ["pictures", "--model", "shapes-demo", "--labels", "red", "blue"],
    "match": ["pictures/0.png", "red", "--model", "shapes-demo"],
    "match-batch": ["pairs.csv", "--model", "shapes-demo", "--out", "out.csv"],
    "rank": ["pictures", "--model", "shapes-demo"],
}
PIPE = "pipe.json"


def cases() -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for command, (name, given) in zip((export, label, match, match_batch, rank), GIVEN.items(), strict=True):
        yield name, PIPE, *given[1:]
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        for action in parser._actions:
            flag = action.option_strings[-1] if action.option_strings else ""
            # options that several commands share are declared once
            if flag and action.nargs != 0 and not action.choices and flag not in seen:
                seen.add(flag)
                yield name, *given, flag, PIPE


def stop(*_: object) -> None:
    raise TimeoutError("it waits for the pipe")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files in folders")
def test_no_option_waits_for_a_pipe(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # to declare all options of all commands takes longer than most of what is run here
    monkeypatch.setattr(program, "_parser", cache(program._parser))
    os.mkfifo(PIPE)
    os.mkdir("pictures")
    Image.new("RGB", (40, 30), "red").save("pictures/0.png")
    (tmp_path / "pairs.csv").write_text("image,text\npictures/0.png,red\n")
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for command in cases():
            signal.alarm(20)
            shell(*command)
            assert os.path.exists(PIPE) and not os.path.isfile(PIPE), command
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
