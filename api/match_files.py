"""Files of pairs by one call: every picture with its text, and a calibration learnt from those that are labelled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..clip_backend.calibration.calibration import Calibration, calibration_target, fit_calibration
from ..clip_backend.match_files.batch import match_batch
from ..clip_backend.match_files.report import PairsReport
from ..clip_backend.matching.result import MatchOptions
from ..errors import InputError
from ..imaging import Progress
from ..options import read_options
from .match import given_calibration
from .models import Model, ModelChoice
from .pictures import StrPath

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import MatchKeywords


def match_pairs(
    pairs: StrPath,
    out: StrPath | None = None,
    *,
    model: Model = None,
    calibration: Calibration | StrPath | None = None,
    save_calibration: StrPath | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[MatchKeywords],
) -> PairsReport:
    """Scores for a CSV file of image_path, text and perhaps label; see ``match_batch`` for what it does with them.

    options: fields of MatchOptions. save_calibration: where to keep what the labelled pairs say of this model; a file
    that is no calibration is replaced only with ``overwrite``, and the file of pairs never.
    Raises InputError for files or options that cannot be used, and for labels that give no calibration.
    """
    wanted = read_options(MatchOptions, options)
    if save_calibration is not None:
        _check_calibration_target(save_calibration, {"pairs": pairs, "results": out}, overwrite=overwrite)
    opened = ModelChoice.of(model)
    learnt, told = given_calibration(calibration, opened)
    report = match_batch(
        pairs, out, opened.for_texts, options=wanted, calibration=learnt, resume=resume, overwrite=overwrite,
        model=opened.key, progress=progress,
    )  # fmt: skip
    notes = (*opened.notes, *told)
    if save_calibration is not None and report.done:
        labels, z = report.labelled()
        fitted = fit_calibration(z, labels, opened.for_texts(), wanted)
        fitted.save(save_calibration, overwrite=overwrite)
        notes = (*notes, *fitted.notes, f"the calibration is in {save_calibration}")
    return replace(report, notes=(*notes, *report.notes))


def _check_calibration_target(path: StrPath, others: Mapping[str, StrPath | None], *, overwrite: bool) -> None:
    """Before anything is computed; others: the files that it must not be, by what they hold."""
    target = calibration_target(path, overwrite=overwrite)
    for name, other in others.items():
        if other is not None and os.path.realpath(os.path.expanduser(other)) == os.path.realpath(target):
            raise InputError(f"the calibration would replace the {name} in {other}; choose another name for it")
