"""Match scores by one call: whether pictures show what texts say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..clip_backend.calibration.calibration import Calibration, read_calibration
from ..clip_backend.matching.match import match_pictures
from ..clip_backend.matching.result import Matches, MatchOptions
from ..errors import PictureError
from ..imaging import Progress
from ..options import read_options
from .models import Model, ModelChoice
from .pictures import Images, StrPath, gather, the_only_picture

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import MatchKeywords, PhraseKeywords


def match(
    images: Images,
    texts: str | Sequence[str],
    *,
    model: Model = None,
    calibration: Calibration | StrPath | None = None,
    progress: Progress | None = None,
    **options: Unpack[MatchKeywords],
) -> Matches:
    """Whether pictures show what texts say, with every score under the name of its scale.

    options: fields of MatchOptions. calibration: what ``match_pairs`` learnt, or its file.
    Raises InputError for counts that do not fit the mode, SpaceError for a calibration of another model.
    """
    wanted = read_options(MatchOptions, options)
    batch = gather(images)
    learnt = given_calibration(calibration)
    opened = ModelChoice.of(model)
    run = match_pictures(
        opened.for_texts(), batch.pictures, texts, options=wanted, calibration=learnt, progress=progress
    )
    return replace(run, notes=(*opened.notes, *batch.notes, *run.notes))


def analyze_image_text_match(
    image_path: StrPath,
    description: str,
    threshold: float = 0.25,
    *,
    model: Model = None,
    **options: Unpack[PhraseKeywords],
) -> dict[str, Any]:
    """Whether one picture shows what a description says, as a plain dict.

    Its keys are is_match, similarity_score (a cosine) and match_status, and all those of ``MatchResult.to_dict``.
    Raises InputError for a folder of several pictures, and PictureError for a picture that cannot be read.
    """
    found = match([the_only_picture(image_path)], [description], model=model, threshold=threshold, **options)
    for failure in found.failed:
        raise PictureError(failure.name, failure.reason)
    (result,) = found.results
    short = {"is_match": result.is_match, "similarity_score": result.cosine, "match_status": result.status}
    return short | result.to_dict()


def given_calibration(given: Calibration | StrPath | None) -> Calibration | None:
    """A calibration, read from its file if need be."""
    return given if given is None or isinstance(given, Calibration) else read_calibration(given)
