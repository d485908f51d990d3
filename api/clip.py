"""CLIP by one call: what is in pictures, whether they match a text, and which are best."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from ..clip_backend.calibration.calibration import Calibration, read_calibration
from ..clip_backend.labelling.answers import UNLABELED, Labelled
from ..clip_backend.labelling.contrast import contrast_labels
from ..clip_backend.labelling.labels import label_pictures
from ..clip_backend.labelling.options import LabelOptions
from ..clip_backend.matching.analysis import analysis_of
from ..clip_backend.matching.match import match_pictures
from ..clip_backend.matching.options import MatchOptions
from ..clip_backend.matching.result import Matches
from ..clip_backend.ranking.options import RankOptions
from ..clip_backend.ranking.ranking import rank_by_references, rank_by_text, rank_scores
from ..clip_backend.ranking.result import Ranking
from ..clip_backend.words.find import find_vocabulary
from ..clip_backend.words.given import given_labels
from ..clip_backend.words.vocabulary import Vocabulary
from ..errors import InputError, PictureError
from ..grid.pictures import Progress
from ..options import check
from .images_in import Images, StrPath, gather
from .models import Model, ModelChoice

logger = logging.getLogger("clip_grid")

Options = TypeVar("Options", LabelOptions, MatchOptions, RankOptions)


def label_images(
    images: Images,
    *,
    labels: Sequence[str] | None = None,
    vocabulary: Vocabulary | str = "",
    contrast: bool = False,
    model: Model = None,
    progress: Progress | None = None,
    **options: Any,
) -> Labelled:
    """What each picture shows: one of ``labels``, or words of a vocabulary.

    vocabulary: a file of words, words separated by commas, "+FILE" for the pack's own words and those of a file; empty
    for the pack's own. contrast: say what tells the pictures apart, no two the same, as on a sheet.
    options: fields of LabelOptions. Pictures that cannot be read are in ``failed``.
    Raises InputError for labels, options or sources that cannot be used, and what loading a model raises.
    """
    wanted = chosen_options(LabelOptions, options)
    words = _words(labels, vocabulary)
    given = gather(images)
    opened = ModelChoice.of(model)
    find = contrast_labels if contrast else label_pictures
    run = find(opened(), given.pictures, words, options=wanted, progress=progress)
    return replace(run, notes=(*opened.notes, *given.notes, *run.notes))


def match(
    images: Images,
    texts: str | Sequence[str],
    *,
    model: Model = None,
    calibration: Calibration | StrPath | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Matches:
    """Whether pictures show what texts say, with every score under the name of its scale.

    options: fields of MatchOptions. calibration: what ``match_pairs`` learnt, or its file.
    Raises InputError for counts that do not fit the mode, SpaceError for a calibration of another model.
    """
    wanted = chosen_options(MatchOptions, options)
    several = [texts] if isinstance(texts, str) else list(texts)
    given = gather(images)
    learnt = given_calibration(calibration)
    opened = ModelChoice.of(model)
    run = match_pictures(opened(), given.pictures, several, options=wanted, calibration=learnt, progress=progress)
    return replace(run, notes=(*opened.notes, *given.notes, *run.notes))


def rank(
    images: Images,
    *,
    text: str = "",
    scores: Sequence[float] | None = None,
    references: Images | None = None,
    model: Model = None,
    progress: Progress | None = None,
    **options: Any,
) -> Ranking:
    """The pictures from best to worst by a text, by given scores or by reference pictures, and which are kept.

    options: fields of RankOptions. Raises InputError unless exactly one of text, scores and references is given.
    """
    wanted = chosen_options(RankOptions, options)
    if (text != "") + (scores is not None) + (references is not None) != 1:
        raise InputError("pictures are ranked by one of text, scores and references; give exactly one of them")
    given = gather(images)
    pictures = given.pictures
    if scores is not None and not wanted.duplicates:
        names = [_name(one, place) for place, one in enumerate(pictures)]
        return replace(rank_scores(scores, options=wanted, names=names), notes=given.notes)
    liked = None if references is None else gather(references).pictures
    opened = ModelChoice.of(model)
    encoder = opened()
    if scores is not None:
        features = encoder.encode_images(pictures).to_features()
        run = rank_scores(scores, options=wanted, names=features.ids, features=features)
    elif liked is not None:
        run = rank_by_references(encoder, pictures, liked, options=wanted, progress=progress)
    else:
        run = rank_by_text(encoder, pictures, text, options=wanted, progress=progress)
    return replace(run, notes=(*opened.notes, *given.notes, *run.notes))


def analyze_image_text_match(
    image_path: StrPath,
    description: str,
    threshold: float = 0.25,
    *,
    model: Model = None,
    **options: Any,
) -> dict[str, Any]:
    """Whether one picture shows what a description says, as a plain dict.

    Its keys are is_match, similarity_score (a cosine) and match_status, and all those of ``MatchResult.to_dict``.
    Raises PictureError for a picture that cannot be read.
    """
    found = match([image_path], [description], model=model, threshold=threshold, **options)
    for failure in found.failed:
        raise PictureError(failure.name, failure.reason)
    return analysis_of(found.results[0])


class CLIPLabeler:
    """Labels for pictures one by one or together; the model is loaded with the first of them."""

    def __init__(
        self,
        model_name: Model = None,
        *,
        labels: Sequence[str] | None = None,
        vocabulary: Vocabulary | str = "",
        **options: Any,
    ) -> None:
        self._model = ModelChoice.of(model_name)
        self._options = chosen_options(LabelOptions, options)
        self._words = _words(labels, vocabulary)

    def generate_label(self, image: Any) -> str:
        """The label of one picture; "unlabeled" where none fits, and for a picture that cannot be read."""
        return self.batch_generate_labels([image])[0]

    def batch_generate_labels(self, images: Images, progress: Progress | None = None) -> list[str]:
        """A label for each picture, in order; see ``label`` for the probabilities and for what went wrong."""
        run = self.label(images, progress)
        found = {one.index: one.label for one in run.pictures}
        for failure in run.failed:
            logger.warning("%s is unlabeled: %s", failure.name, failure.reason)
        return [found.get(place, UNLABELED) for place in range(len(run.pictures) + len(run.failed))]

    def label(self, images: Images, progress: Progress | None = None) -> Labelled:
        """Everything that is known: probabilities, other labels, failures."""
        given = gather(images)
        run = label_pictures(self._model(), given.pictures, self._words, options=self._options, progress=progress)
        return replace(run, notes=(*self._model.notes, *given.notes, *run.notes))


def chosen_options(kind: type[Options], given: Mapping[str, object]) -> Options:
    """The settings, checked; raises InputError for an unknown name or a value that cannot be used."""
    return kind(**cast("dict[str, Any]", check(kind, given)))


def _words(labels: Sequence[str] | None, vocabulary: Vocabulary | str) -> Vocabulary:
    if labels is not None and vocabulary:
        raise InputError("both labels and a vocabulary were given; give one of them")
    if labels is not None:
        return given_labels(labels)
    return vocabulary if isinstance(vocabulary, Vocabulary) else find_vocabulary(vocabulary)


def given_calibration(given: Calibration | StrPath | None) -> Calibration | None:
    """A calibration, read from its file if need be."""
    return given if given is None or isinstance(given, Calibration) else read_calibration(given)


def _name(picture: object, place: int) -> str:
    return str(picture) if isinstance(picture, str) or hasattr(picture, "__fspath__") else f"picture {place + 1}"
