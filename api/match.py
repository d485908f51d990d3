"""Match scores by one call: whether pictures show what texts say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..clip_backend.calibration.calibration import Calibration, read_calibration
from ..clip_backend.learning.runs.run import CALIBRATION, is_run
from ..clip_backend.matching.match import match_pictures
from ..clip_backend.matching.result import Matches, MatchOptions
from ..errors import InputError, PictureError
from ..imaging import Progress
from ..log import logger
from ..options import read_options
from .models import Model, ModelChoice
from .pictures import Images, StrPath, gather, gather_each, the_only_picture

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

    options: fields of MatchOptions. calibration: what ``match_pairs`` learnt, its file, or a run with one; a run that
    is given as the model brings its own.
    Raises InputError for counts that do not fit the mode, SpaceError for a calibration of another model.
    """
    wanted = read_options(MatchOptions, options)
    batch = gather(images)
    opened = ModelChoice.of(model)
    learnt, told = given_calibration(calibration, opened)
    run = match_pictures(
        opened.for_texts(), batch.pictures, texts, options=wanted, calibration=learnt, progress=progress
    )
    return replace(run, notes=(*opened.notes, *told, *batch.notes, *run.notes))


def analyze_image_text_match(
    image_path: StrPath,
    description: str,
    threshold: float | None = None,
    *,
    model: Model = None,
    **options: Unpack[PhraseKeywords],
) -> dict[str, Any]:
    """Whether one picture shows what a description says, as a plain dict.

    Its keys are is_match, similarity_score (a cosine) and match_status, and all those of ``MatchResult.to_dict``.
    threshold: the least cosine of a match; None for the verdict that the options give.
    Raises InputError for a folder of several pictures, and PictureError for a picture that cannot be read.
    """
    pictures = [the_only_picture(image_path)]
    if threshold is None:
        found = match(pictures, [description], model=model, **options)
    else:
        # the preset is needed for a threshold of 0, which alone stands for the automatic verdict
        options.setdefault("preset", "threshold")
        found = match(pictures, [description], model=model, threshold=threshold, **options)
    for failure in found.failed:
        raise PictureError(failure.name, failure.reason)
    (result,) = found.results
    short = {"is_match": result.is_match, "similarity_score": result.cosine, "match_status": result.status}
    return short | result.to_dict()


def compute_similarity(image_path: StrPath, text: str, *, model: Model = None) -> float:
    """The cosine of one picture and one text, -1..1, as ``match`` gives it; raises as ``analyze_image_text_match``."""
    found = match([the_only_picture(image_path)], [text], model=model, phrases=False)
    for failure in found.failed:
        raise PictureError(failure.name, failure.reason)
    return found.results[0].cosine


def batch_compute_similarity(
    image_paths: Images, texts: str | Sequence[str], *, model: Model = None, progress: Progress | None = None
) -> list[float | None]:
    """The cosine of each picture and its text, -1..1, in order; None for a picture that is missing or broken.

    texts: one per picture, or a str or a list of one for all. What went wrong with a picture is logged as a warning.
    Raises InputError for counts that do not fit, and what loading a model raises.
    """
    pictures = gather_each(image_paths).pictures
    if not pictures:
        return []
    wanted = [texts] if isinstance(texts, str) else list(texts)
    if len(wanted) not in (1, len(pictures)):
        raise InputError(
            f"there are {len(wanted)} texts for {len(pictures)} pictures; give a text for each picture, or one for all"
        )
    options = MatchOptions(mode="broadcast" if len(wanted) == 1 else "pairs", phrases=False)
    run = match_pictures(ModelChoice.of(model).for_texts(), pictures, wanted, options=options, progress=progress)
    for failure in run.failed:
        logger.warning("%s has no similarity: %s", failure.name, failure.reason)
    found = {one.image_index: one.cosine for one in run.results}
    return [found.get(place) for place in range(len(pictures))]


def given_calibration(
    given: Calibration | StrPath | None, model: ModelChoice
) -> tuple[Calibration | None, tuple[str, ...]]:
    """A calibration, read from its file or the folder of its run if need be, else that of a run that is the model.

    And a note where the latter is left out, because the run is used at another strength than it is for.
    """
    if isinstance(given, Calibration):
        return given, ()
    if given is not None:
        path = Path(given).expanduser()
        return read_calibration(path / CALIBRATION if path.is_dir() and is_run(path) else path), ()
    learnt = model.learnt
    if not learnt or not learnt.calibration:
        return None, ()
    strength = model.given.get("strength")
    if learnt.trained and strength not in (None, learnt.trained.strength):
        own = f"{learnt.trained.strength:g}"
        return None, (
            f"the calibration of {learnt.path.name} is for its strength {own}, and is left out at {strength:g}",
        )
    return read_calibration(learnt.calibration), ()
