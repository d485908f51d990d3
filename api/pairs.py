"""Files of pairs by one call: every picture with its text, and a calibration learnt from those that are labelled."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ..clip_backend.calibration.calibration import Calibration, fit_calibration
from ..clip_backend.match_files.batch import match_batch
from ..clip_backend.match_files.report import PairsReport
from ..clip_backend.matching.options import MatchOptions
from ..grid.pictures import Progress
from .clip import chosen_options, given_calibration
from .images_in import StrPath
from .models import open_with_note

if TYPE_CHECKING:
    from ..clip_backend.encoder import Encoder


def match_pairs(
    pairs: StrPath,
    out: StrPath | None = None,
    *,
    model: Encoder | StrPath | None = None,
    calibration: Calibration | StrPath | None = None,
    save_calibration: StrPath | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> PairsReport:
    """Scores for a CSV file of image_path, text and perhaps label; see ``match_batch`` for what it does with them.

    options: fields of MatchOptions. save_calibration: where to keep what the labelled pairs say of this model.
    Raises InputError for files or options that cannot be used, and for labels that give no calibration.
    """
    wanted = chosen_options(MatchOptions, options)
    learnt = given_calibration(calibration)

    @cache
    def opened() -> tuple[Encoder, tuple[str, ...]]:
        return open_with_note(model)

    report = match_batch(
        pairs, out, lambda: opened()[0], options=wanted, calibration=learnt, resume=resume, overwrite=overwrite,
        model=model if isinstance(model, str) else "", progress=progress,
    )  # fmt: skip
    notes = opened()[1] if opened.cache_info().currsize else ()
    if save_calibration is not None:
        labels, cosines = report.labelled()
        fitted = fit_calibration(cosines, labels, opened()[0])
        fitted.save(save_calibration)
        notes = (*notes, *fitted.notes)
    return replace(report, notes=(*notes, *report.notes))
