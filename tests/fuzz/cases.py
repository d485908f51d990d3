"""One damaged file, what reads it, and whether what came of it is allowed: success, or an error that names the file."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
from clip_grid.api import (
    SheetInputs,
    find_model_folders,
    plan_export,
    read_calibration,
    read_vocabulary,
)
from clip_grid.cli import main
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.commands import program
from clip_grid.errors import ClipGridError
from clip_grid.grid.pictures.own import is_clip_grid_sheet
from clip_grid.grid.template import read_template
from PIL import Image

from ..clip_backend.match_files.toy_match import ToyModel, run
from .mutations import damaged, damaged_json, damaged_text
from .picture_seeds import INFOTEXT, JSON_TEXTS, SDNEXT, carriers, picture_seeds
from .text_seeds import PICTURES, text_seeds

#: Seconds of the processor in which a case must be done, and in all: other programs may have the processor meanwhile.
MOST_SECONDS, MOST_WAITED = 2.0, 20.0
#: To make it anew would take half the time of a run.
_PARSER = cache(program._parser)


class Wrong(AssertionError):
    """What a reader did that it must not do."""


@dataclass(frozen=True)
class Case:
    """A damaged file; everything about it follows from its number."""

    number: int
    kind: str
    name: str
    data: bytes


class Cases:
    """Makes the cases of pictures, and of all other files, by their numbers."""

    def __init__(self) -> None:
        self._pictures = list(picture_seeds().items())
        self._carriers = list(carriers().items())
        self._texts = text_seeds()

    def picture(self, number: int) -> Case:
        """A picture whose bytes, or the texts in it, are damaged."""
        random = Random(f"picture {number}")
        if random.random() < 0.6:
            name, data = self._pictures[number % len(self._pictures)]
            return Case(number, "picture", name, damaged(data, random, random.choice(self._pictures)[1]))
        name, carry = self._carriers[number % len(self._carriers)]
        if random.random() < 0.7:
            key, value = random.choice(JSON_TEXTS)
            text = damaged_json(value, random)
        else:
            key, text = "parameters", damaged_text(random.choice((INFOTEXT, SDNEXT)), random).decode("utf-8", "replace")
        return Case(number, "picture", name, carry(key, text))

    def text(self, number: int) -> Case:
        """A table, template, calibration, list or other text file that is damaged."""
        random = Random(f"text {number}")
        seed = self._texts[number % len(self._texts)]
        way = random.random()
        if seed.value is not None and way < 0.6:
            return Case(number, seed.kind, seed.name, damaged_json(seed.value, random).encode("utf-8", "surrogatepass"))
        if seed.kind != "sheet" and way < 0.85:
            return Case(number, seed.kind, seed.name, damaged_text(seed.data.decode("utf-8", "replace"), random))
        return Case(number, seed.kind, seed.name, damaged(seed.data, random, random.choice(self._texts).data))


def problem_of(case: Case, folder: Path) -> str:
    """What went wrong with the case; empty if nothing did. folder: an empty one for its files."""
    began, worked = time.perf_counter(), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _RUNS[case.kind](case, folder)
    except Wrong as wrong:
        return str(wrong)
    except BaseException:
        return traceback.format_exc()
    worked, seconds = time.process_time() - worked, time.perf_counter() - began
    is_slow = worked > MOST_SECONDS or seconds > MOST_WAITED
    return f"it took {seconds:.1f} s, {worked:.1f} of them of the processor" if is_slow else ""


def _clip_grid(*arguments: object, names: str, problems: tuple[int, ...] = (0, 1, 3)) -> tuple[int, str]:
    """Exit status and output of a command; it must end with one of these, and an error must hold one of the names."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), patch.object(program, "_parser", _PARSER):
        status = main([str(argument) for argument in arguments])
    said = err.getvalue()
    if status not in problems or "Traceback" in said or (status and not said.strip()):
        raise Wrong(f"status {status}: {said}")
    if status == 1 and names not in said:
        raise Wrong(f"the message does not name {names}: {said}")
    if re.search("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", said.replace("\r", "")):
        raise Wrong(f"control characters reach the terminal: {said!r}")
    if status in (0, 3) and "--json" in arguments:
        json.loads(out.getvalue(), parse_constant=_no_constant)
    return status, out.getvalue()


def _no_constant(name: str) -> None:
    raise Wrong(f"the report is no JSON: it holds {name}")


def _must_name(error: ClipGridError, name: str) -> None:
    if name not in str(error):
        raise Wrong(f"the message does not name {name}: {error}")


def _written(case: Case, folder: Path) -> Path:
    path = folder / case.name
    path.write_bytes(case.data)
    return path


def _good_pictures(folder: Path) -> Path:
    inside = folder / "in"
    inside.mkdir()
    for shade, name in enumerate(PICTURES):
        Image.new("RGB", (8, 6), (shade * 60, 0, 90)).save(inside / name)
    return inside


def _picture(case: Case, folder: Path) -> None:
    (folder / "in").mkdir()
    _written(case, folder / "in")
    Image.new("RGB", (8, 6), "red").save(folder / "in" / "whole.png")
    options: tuple[object, ...] = ("--cell-width", 32, "--cell-height", 32)
    if case.number % 3 == 1:
        options += ("--label-columns", "prompt,seed,cfg", "--frame", 1)
    if case.number % 3 == 2:
        options += ("--sidecar",)
    sheet = folder / f"sheet.{('png', 'png', 'html', 'jpg', 'tiff')[case.number % 5]}"
    status, out = _clip_grid("export", folder / "in", sheet, "--json", *options, names="column")
    if status == 1:
        # no picture has the columns that were asked for
        return
    report = json.loads(out)
    skipped = [skip["path"] for skip in report["skipped"]]
    if report["images_found"] != 2 or report["images_processed"] + len(skipped) != 2 or "whole.png" in skipped:
        raise Wrong(f"not everything is accounted for: {out}")
    if not sheet.stat().st_size:
        raise Wrong("the sheet is empty")


def _table(case: Case, folder: Path) -> None:
    table = _written(case, folder)
    inside = _good_pictures(folder)
    if case.number % 4 == 0:
        with contextlib.suppress(UnicodeDecodeError):
            inputs = SheetInputs(metadata=case.data.decode(), labels=())
            try:
                plan_export([np.zeros((4, 4, 3), np.uint8)] * 3, folder / "s.png", inputs=inputs)
            except ClipGridError as error:
                _must_name(error, "metadata")
    dry = () if case.number % 5 == 0 else ("--dry-run",)
    _clip_grid("export", inside, folder / "s.png", "--csv", table, "--json", *dry, names=case.name)


def _template(case: Case, folder: Path) -> None:
    template = _written(case, folder)
    inside = _good_pictures(folder)
    saved = folder / "saved.json"
    _clip_grid("export", inside, folder / "s.png", "--template", template, "--dry-run", "--json", names="")
    if _clip_grid("export", "--template", template, "--save-template", saved, names=case.name)[0]:
        return
    first, second = read_template(template), read_template(saved)
    if replace(first, name="") != replace(second, name="") and first == first:
        raise Wrong(f"saving changed the template: {first} {second}")


def _calibration(case: Case, folder: Path) -> None:
    path = _written(case, folder)
    try:
        calibration = read_calibration(path)
    except ClipGridError as error:
        return _must_name(error, case.name)
    probability = calibration.probability(np.array([-1e6, -1.0, 0.0, 0.2, 3.0, 1e6]))
    if not ((probability >= 0) & (probability <= 1)).all():
        raise Wrong(f"the probabilities are {probability}")
    calibration.save(folder / "again.json")
    if read_calibration(folder / "again.json") != calibration:
        raise Wrong("saving changed the calibration")


def _vocabulary(case: Case, folder: Path) -> None:
    path = _written(case, folder)
    try:
        vocabulary = read_vocabulary(path)
    except ClipGridError as error:
        return _must_name(error, case.name)
    if not all(facet.labels for facet in vocabulary.facets):
        raise Wrong(f"a facet without labels: {vocabulary}")


def _list(case: Case, folder: Path) -> None:
    path = _written(case, folder)
    _good_pictures(folder)
    _clip_grid("export", path, folder / "s.png", "--dry-run", "--json", names="")


def _yaml(case: Case, folder: Path) -> None:
    _written(case, folder)
    (folder / "models" / "clip_vision").mkdir(parents=True)
    config = find_model_folders(comfyui=folder)
    if not all(case.name in note for note in config.notes):
        raise Wrong(f"a note does not name the file: {config.notes}")


def _pairs(case: Case, folder: Path) -> None:
    for name in "abc":
        (folder / f"{name}.png").write_text(f"{name} x", "utf-8")
    path = _written(case, folder) if case.kind == "pairs" else folder / "p.csv"
    if case.kind != "pairs":
        path.write_text('image_path,text,label\na.png,"a, x",1\nb.png,x,0\n', "utf-8")
        _written(case, folder)
    out = folder / case.name if case.kind == "results" else folder / f"out.{('csv', 'json', 'jsonl')[case.number % 3]}"
    if case.kind == "part":
        out = folder / "out.csv"
    try:
        report = run(path, out, ToyModel(), options=MatchOptions())
    except ClipGridError as error:
        return _must_name(error, case.name)
    if out.suffix == ".json":
        json.loads(out.read_text("utf-8"), parse_constant=_no_constant)
    if report.done + report.failed != report.rows or not math.isfinite(report.rows):
        raise Wrong(f"rows are lost: {report}")


def _sheet(case: Case, folder: Path) -> None:
    path = _written(case, folder)
    inside = _good_pictures(folder)
    is_ours = is_clip_grid_sheet(path)
    target = path if case.kind == "sheet" else folder / "s.png"
    sizes = ("--cell-width", 32, "--cell-height", 32)
    sidecar = () if case.kind == "sheet" else ("--sidecar",)
    status, _ = _clip_grid("export", inside, target, *sidecar, *sizes, names=case.name)
    is_kept = path.read_bytes() == case.data
    if case.kind == "sheet" and is_kept == is_ours:
        raise Wrong(f"the sheet is {'' if is_ours else 'not '}ours, and was {'kept' if is_kept else 'replaced'}")
    if status == 1 and not is_kept:
        raise Wrong("a file was replaced by a run that failed")


_RUNS: dict[str, Callable[[Case, Path], None]] = {
    "picture": _picture,
    "table": _table,
    "template": _template,
    "calibration": _calibration,
    "vocabulary": _vocabulary,
    "list": _list,
    "yaml": _yaml,
    "pairs": _pairs,
    "part": _pairs,
    "results": _pairs,
    "sheet": _sheet,
    "sidecar": _sheet,
}
