"""Learning from examples by one call, and the measuring of what was learnt."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..clip_backend.learning.data.dataset import Dataset, Facts, Part, Picture
from ..clip_backend.learning.data.prepare import PreparedData, prepare_data
from ..clip_backend.learning.data.report import DataReport, check_findings_target
from ..clip_backend.learning.data.splits import Shares
from ..clip_backend.learning.evaluation import Evaluation, evaluate_on
from ..clip_backend.learning.options import TOWER_METHODS, TrainOptions
from ..clip_backend.learning.runs.report import Report
from ..clip_backend.learning.runs.run import BEST, new_run_folder, read_run
from ..clip_backend.learning.trained_model import is_learnt
from ..clip_backend.learning.training import check_before_loading, check_resumable, chosen_method, cost_of, train_on
from ..clip_backend.learning.tuning.result import OnStep
from ..clip_backend.preparing.pictures import TarMember
from ..errors import InputError
from ..grid.pictures.find import readable
from ..grid.pictures.metadata import read_picture
from ..imaging import Progress, open_picture
from ..log import logger
from ..options import read_options
from .describe import notes_before_training
from .models import Model, ModelChoice
from .pictures import StrPath

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..clip_backend.encoding.encoder import Encoder
    from .options import TrainKeywords


def train(
    data: StrPath,
    out: StrPath,
    *,
    model: Model = None,
    val_data: StrPath | None = None,
    test_data: StrPath | None = None,
    root: StrPath | None = None,
    split: StrPath | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    on_step: OnStep | None = None,
    **options: Unpack[TrainKeywords],
) -> Report:
    """Learns from a data set of any known layout, and writes the folder of the run; see ``read_dataset``.

    A head for classes, or a calibration for pairs, takes seconds beside the embeddings of the pictures, which are
    computed once and come from the encoder's cache the next time.
    out: the folder; a new or empty one, or with ``overwrite`` that of an earlier run. val_data, test_data: data sets
    that are these parts; ``data`` is then trained on as a whole. root: where relative paths are looked up first.
    split: the split.json of an earlier run, whose pictures stay in their parts. resume: go on in the folder of a run
    that was stopped. progress: called with (done, pictures). on_step: called after every step of a method that trains
    weights of the model. options: fields of TrainOptions.
    Raises InputError for data, options or a model that cannot be used, and OutputError if the folder cannot be written.
    """
    wanted = read_options(TrainOptions, options)
    folder = new_run_folder(out, overwrite=overwrite or resume)
    opened = ModelChoice.of(model)

    def check(dataset: Dataset) -> None:
        if resume:
            check_resumable(folder, chosen_method(wanted, dataset.kind).method)
        check_before_loading(dataset.kind, opened(), wanted)

    prepared = _prepared(
        data, opened(), wanted, parts=_parts(val_data, test_data), root=root, split=split, check=check,
        progress=progress,
    )  # fmt: skip
    prepared.report.check_trainable()
    if chosen_method(wanted, prepared.dataset.kind).method in TOWER_METHODS:
        for warning in notes_before_training(opened):
            logger.warning(warning)
    report = train_on(
        prepared, opened(), wanted, folder, resume=resume, on_prepare=progress, on_step=on_step
    )  # fmt: skip
    return replace(report, notes=(*opened.notes, *report.notes))


def check_data(
    data: StrPath,
    *,
    model: Model = None,
    val_data: StrPath | None = None,
    test_data: StrPath | None = None,
    root: StrPath | None = None,
    split: StrPath | None = None,
    findings: StrPath | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[TrainKeywords],
) -> DataReport:
    """What is wrong or doubtful in a data set, how ``train`` would split it and what that takes; nothing is trained.

    Other arguments are those of ``train``. model: texts and labels are checked by it too; None for the default model,
    or for none where there is none. findings: a CSV file for all findings. overwrite: also replace a file there that
    holds no findings.
    Raises InputError for what is no data set, and for a model that is named and cannot be used; OutputError if the file
    cannot be written.
    """
    wanted = read_options(TrainOptions, options)
    target = None if findings is None else Path(os.path.expanduser(findings)).absolute()
    if target is not None:
        check_findings_target(target, overwrite=overwrite)
    opened = ModelChoice.of(model)
    try:
        encoder = opened()
    except InputError:
        if opened.is_chosen:
            raise
        encoder = None
    prepared = _prepared(
        data, encoder, wanted, parts=_parts(val_data, test_data), root=root, split=split, progress=progress
    )
    report = prepared.report
    try:
        report = replace(report, training=cost_of(prepared, encoder, wanted) if encoder else {})
    except InputError as error:
        report = replace(report, unchecked=(*report.unchecked, f"what training takes: {error}"))
    if target is not None:
        report.save_findings(target, overwrite=overwrite)
    return report


def evaluate(
    run: StrPath,
    data: StrPath,
    *,
    model: Model = None,
    part: Literal["all", "test"] = "all",
    allow_trained: bool = False,
    root: StrPath | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """How the run in a folder does on a data set of the kind that it learnt from.

    model: in place of the run's own, or of the model that its towers were trained on, where that is not found on this
    machine. part: "test" for the pictures of the
    run's own test split alone. allow_trained: also measure on pictures of groups that were trained on.
    Raises InputError for a folder without a run, for pictures that were trained on, for data of another kind, and
    SpaceError for another model than that of the run.
    """
    if part not in ("all", "test"):
        raise InputError(f"part is {part!r}; it must be all or test")
    folder = Path(os.path.expanduser(run)).absolute()
    # refused before a model is loaded
    read_run(folder)
    opened = _model_of(folder, model)
    prepared = _prepared(data, opened(), TrainOptions(val=0, test=0), root=root, progress=progress)
    found = evaluate_on(folder, prepared, opened(), which=part, allow_trained=allow_trained)
    return replace(found, notes=(*opened.notes, *found.notes))


def _model_of(folder: Path, model: Model) -> ModelChoice:
    """The model that a run is measured with; one that is given for a run of trained towers is their base."""
    opened = ModelChoice.of(folder if model is None else model)
    if not (folder / BEST).is_file() or not opened.source:
        return opened
    path = opened.files()[0]
    return opened if is_learnt(path) else opened.with_model(folder, base=path)


def picture_facts(picture: Picture) -> Facts:
    """How a picture was generated, as far as its file tells; nothing for one that cannot be read."""
    path = Path(str(picture))
    try:
        with open_picture(path, data=picture.read() if isinstance(picture, TarMember) else None) as opened:
            _, generation = read_picture(opened, path.name)
    except InputError:
        # its own check says so
        return Facts()
    values = {name: readable(text) for name, text in generation.values.items()}
    return Facts(prompt=values.get("prompt", ""), model=values.get("model", ""), seed=values.get("seed", ""))


def _parts(val: StrPath | None, test: StrPath | None) -> dict[Part, StrPath]:
    given: Mapping[Part, StrPath | None] = {"val": val, "test": test}
    return {part: path for part, path in given.items() if path is not None}


def _prepared(
    data: StrPath,
    encoder: Encoder | None,
    options: TrainOptions,
    *,
    parts: Mapping[Part, StrPath] | None = None,
    root: StrPath | None = None,
    split: StrPath | None = None,
    check: Callable[[Dataset], None] | None = None,
    progress: Progress | None = None,
) -> PreparedData:
    named = parts or {}
    # a part that has a data set of its own is not taken from the rest
    val, test = (0.0 if part in named else share for part, share in (("val", options.val), ("test", options.test)))
    shares = Shares(val=val, test=test, seed=options.seed, by_prompt=options.group_prompts)
    return prepare_data(
        data, shares=shares, root=root, facts_of=picture_facts, encoder=encoder, previous=split, parts=named,
        check=check, progress=progress,
    )  # fmt: skip
