"""A head learnt within a workflow, in seconds, and its run folder below the output folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...api.train import picture_facts
from ...clip_backend.learning.data.dataset import Dataset
from ...clip_backend.learning.data.prepare import prepare_data
from ...clip_backend.learning.data.read import read_dataset
from ...clip_backend.learning.data.splits import Shares
from ...clip_backend.learning.heads.head import read_head
from ...clip_backend.learning.options import HEAD_METHODS, TrainOptions
from ...clip_backend.learning.runs.report import Report
from ...clip_backend.learning.runs.run import CURVES, HEAD, new_run_folder
from ...clip_backend.learning.training import train_on
from ...clip_backend.preparing.pictures import TarMember
from ...errors import ForbiddenPath, InputError
from ...options import option
from ..host.host import Host
from ..models.choice import demo_notes
from ..models.heads import FOLDER, LoadedHead
from ..models.loaded import check_loaded
from ..scores.results import json_text, node_result


@dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """How a head is learnt in a workflow; methods that take longer than seconds are for the command line."""

    name: str = option("head", "Name of the head; it is kept as heads/NAME_00001_ in the output folder")
    method: str = option(
        "auto",
        "How: ridge suits nearly always, nearest one picture per class, lda and logistic many, tip compares with every "
        "picture; auto takes ridge, and another if it is clearly better",
        choices=("auto", *HEAD_METHODS),
    )
    test: float = option(
        0.2, "Share of the pictures that are kept out to measure the head; 0 learns from all and measures nothing",
        low=0, high=0.9,
    )  # fmt: skip


def learn_from_folder(data: str, model: object, options: LearnOptions, host: Host) -> dict[str, Any]:
    """What the node returns; the run is kept below the output folder.

    Raises InputError for what is no set of classes, ForbiddenPath for pictures outside the allowed folders, and
    OutputError if the run cannot be written.
    """
    loaded = check_loaded(model, "model")
    path = host.folders.find(data.strip() or ".")
    host.folders.check_links(path)
    _check(read_dataset(path), host)
    bar = host.progress()
    prepared = prepare_data(
        path, shares=Shares(val=0, test=options.test), facts_of=picture_facts, encoder=loaded.encoder, progress=bar
    )
    place = host.save_path(f"{FOLDER}/{options.name.strip() or 'head'}", 0, 0)
    folder = new_run_folder(place.folder / f"{place.stem}_{place.counter:05}_")
    report = train_on(prepared, loaded.encoder, TrainOptions(method=options.method, test=options.test), folder)
    head = LoadedHead(folder.name, read_head(folder / HEAD))
    name = f"{place.subfolder}/{folder.name} [output]"
    notes = (*demo_notes(loaded.name, host), *report.notes, *_findings(prepared.report.to_dict()))
    shown = [host.folders.shown_text(note) for note in notes]
    result = node_result("clip_head", [report.to_dict()], list(_lines(report, head)), shown,
                         (head, name, json_text(report.to_dict())))  # fmt: skip
    subfolder = f"{place.subfolder}/{folder.name}"
    result["ui"]["images"] = [{"filename": CURVES, "subfolder": subfolder, "type": "output"}]
    return result


def _check(dataset: Dataset, host: Host) -> None:
    """Raises InputError for data without classes, ForbiddenPath for a picture outside the allowed folders."""
    if dataset.kind != "classes":
        raise InputError(
            f"the data are {dataset.kind}, and a head learns classes: give a folder with one folder of pictures per "
            "class, or a table with the columns image_path and label; clip-grid train learns from others"
        )
    allowed = host.folders.resolved()
    for one in dataset.examples:
        if not allowed.contains(one.picture.archive if isinstance(one.picture, TarMember) else one.picture):
            raise ForbiddenPath(
                f"{one.name} is outside the folders that this server allows; put it into the input folder"
            )


def _findings(report: dict[str, Any]) -> Iterator[str]:
    """How many things are wrong or doubtful in the data."""
    count = report["errors"] + report["warnings"]
    if count:
        what = "one finding about the data is" if count == 1 else f"{count} findings about the data are"
        yield f"{what} in findings.csv of the run"


def _lines(report: Report, head: LoadedHead) -> Iterator[str]:
    yield report.sentence
    yield head.summary()
    for name, arm in report.arms.items():
        yield f"{name}: {arm.metric} {arm.main}"
