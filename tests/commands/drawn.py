"""Twelve drawn pictures whose names tell nothing, what each shows, and the command line as the tests call it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_grid.cli import main
from clip_grid.commands.shape_drawing import Scene, draw

#: The bundled model, and no trace of the run outside its memory.
DEMO = ("--model", "shapes-demo", "--device", "cpu", "--no-cache")
#: What the pictures show, in their order; their grounds are of other colours.
WORDS = (
    "white cross", "white star", "orange cross", "white square", "purple triangle", "yellow circle", "purple star",
    "green star", "purple diamond", "red circle", "blue ring", "black heart",
)  # fmt: skip
_GROUNDS = ("purple", "yellow", "red", "orange", "yellow", "black", "green", "black", "red", "green", "white", "blue")


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """The command line."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Answer:
        self._capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = self._capsys.readouterr()
        return Answer(status, out, err)


def draw_twelve(folder: Path) -> None:
    """``01.png`` to ``12.png``, in the order of WORDS."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    for number, (words, ground) in enumerate(zip(WORDS, _GROUNDS, strict=True), 1):
        colour, shape = words.split()
        scene = Scene(kind="shape", colour=colour, shape=shape, size="large", background=ground)
        draw(scene, 96, rng).save(folder / f"{number:02}.png")
