"""All pictures of a stream together: their states as one ``ImageFeatures``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np
import torch

from ...color_profiles import profiles_note
from ...errors import InputError
from .image_features import FIELD_OF, FailedPicture, ImageFeatures
from .outcomes import Ok
from .stream import ImageRun


def collected(run: ImageRun) -> ImageFeatures:
    """The features of all pictures of a run.

    Raises PictureError for the first broken picture if strict, and InputError without pictures.
    """
    kept, failed = list[Ok](), list[FailedPicture]()
    with closing(run.outcomes()) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Ok):
                kept.append(outcome)
            else:
                failed.append(outcome)
    if not kept and not failed:
        raise InputError("no pictures were given; give at least one")
    return _features(run, kept, failed)


def _features(run: ImageRun, kept: Sequence[Ok], failed: Sequence[FailedPicture]) -> ImageFeatures:
    states = {want: [one.rows[want] for one in kept] for want in run.wants if kept}
    statistics = [one.statistics for one in kept if one.statistics is not None]
    reasons = {FIELD_OF[want]: reason for want, reason in run.absent.items()}
    if not kept:
        reasons = dict.fromkeys(FIELD_OF.values(), "no picture could be read; see the failed ones")
    problems = {one.name: one.profile_problem for one in kept if one.profile_problem}
    encoder = run.encoder
    able, identity = encoder.vision.capabilities, encoder.identity
    return ImageFeatures(
        names=tuple(one.name for one in kept),
        kept=tuple(one.index for one in kept),
        failed=tuple(failed),
        absent=reasons,
        notes=(*encoder.notes, *run.size.notes, *([profiles_note(problems)] if problems else [])),
        grid=able.grid,
        hidden_size=able.width,
        projection_dim=able.projection,
        num_tokens=able.tokens,
        has_class_token=able.has_class_token,
        registers=able.registers,
        preprocessing=run.reader.preprocessing,
        fingerprint=identity.fingerprint,
        space=identity.space,
        dtype=encoder.dtype,
        statistics=np.stack(statistics) if statistics else None,
        **{FIELD_OF[want]: torch.from_numpy(np.stack(rows)) for want, rows in states.items()},
    )
