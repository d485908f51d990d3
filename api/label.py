"""Labels by one call: what is in pictures, or what tells them apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..clip_backend.labelling.distinctive import distinctive_labels
from ..clip_backend.labelling.labels import label_pictures
from ..clip_backend.labelling.options import LabelOptions
from ..clip_backend.labelling.result import UNLABELED, Labelled
from ..clip_backend.learning.heads.head import Head
from ..clip_backend.learning.heads.labels import label_by_head
from ..clip_backend.words.sources import vocabulary_from_text
from ..clip_backend.words.vocabulary import Vocabulary, vocabulary_from_labels
from ..errors import InputError
from ..imaging import Progress
from ..log import logger
from ..options import read_options
from .heads import chosen_head
from .models import Model, ModelChoice
from .pictures import Gathered, Images, StrPath, gather, gather_each

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import LabelKeywords


def label_images(
    images: Images,
    *,
    labels: Sequence[str] | None = None,
    vocabulary: Vocabulary | StrPath = "",
    contrast: bool = False,
    head: Head | StrPath | None = None,
    model: Model = None,
    progress: Progress | None = None,
    **options: Unpack[LabelKeywords],
) -> Labelled:
    """What each picture shows: one of ``labels``, words of a vocabulary, or a class of a head.

    vocabulary: a file of words, words separated by commas, "+FILE" for the pack's own words and those of a file; empty
    for the pack's own. contrast: say what tells the pictures apart, no two the same, as on a sheet.
    head: what ``clip-grid train`` learnt, its file or its run; without a model, the one that it was learnt on is looked
    for. A run that is given as the model labels by its head unless labels or a vocabulary are given.
    options: fields of LabelOptions. Pictures that cannot be read are in ``failed``.
    Raises InputError for labels, options or sources that cannot be used, and what loading a model raises.
    """
    wanted = read_options(LabelOptions, options)
    opened, chosen = chosen_head(head, model, has_words=labels is not None or bool(vocabulary))
    if chosen:
        if contrast:
            raise InputError("contrast is for words, and a head gives each picture its class; leave contrast out")
        batch = gather(images)
        run = label_by_head(opened(), batch.pictures, chosen.head, name=chosen.name, options=wanted, progress=progress)
        return replace(run, notes=(*opened.notes, *batch.notes, *run.notes))
    words = _words(labels, vocabulary)
    batch = gather(images)
    find = distinctive_labels if contrast else label_pictures
    run = find(opened.for_texts(), batch.pictures, words, options=wanted, progress=progress)
    return replace(run, notes=(*opened.notes, *batch.notes, *run.notes))


class CLIPLabeler:
    """Labels for pictures one by one or together; the model is loaded with the first of them."""

    def __init__(
        self,
        model_name: Model = None,
        *,
        device: str = "auto",
        labels: Sequence[str] | None = None,
        vocabulary: Vocabulary | StrPath = "",
        **options: Unpack[LabelKeywords],
    ) -> None:
        self._model = ModelChoice.of(model_name, device=device)
        self._options = read_options(LabelOptions, options)
        self._words = _words(labels, vocabulary)

    def generate_label(self, image_path: StrPath | Any) -> str:
        """The label of one picture, a file or a picture from memory; "unlabeled" where none fits, or for no picture.

        Raises InputError for a folder or glob of several pictures, and what loading a model raises.
        """
        count = len(gather_each([image_path]).pictures)
        if count != 1:
            raise InputError(f"{image_path} has {count} pictures; give the file of one of them")
        return self.batch_generate_labels([image_path])[0]

    def batch_generate_labels(self, image_paths: Images, progress: Progress | None = None) -> list[str]:
        """A label for each picture, in order; "unlabeled" also for a file that is missing or broken, with a warning.

        No pictures have no labels. See ``label`` for the probabilities and for what went wrong.
        Raises what loading a model raises.
        """
        batch = gather_each(image_paths)
        if not batch.pictures:
            return []
        run = self._label(batch, progress)
        found = {one.index: one.label for one in run.pictures}
        for failure in run.failed:
            logger.warning("%s is unlabeled: %s", failure.name, failure.reason)
        return [found.get(place, UNLABELED) for place in range(len(batch.pictures))]

    def label(self, images: Images, progress: Progress | None = None) -> Labelled:
        """Everything that is known: probabilities, other labels, and in ``failed`` missing and broken files."""
        return self._label(gather_each(images), progress)

    def _label(self, batch: Gathered, progress: Progress | None) -> Labelled:
        encoder = self._model.for_texts()
        run = label_pictures(encoder, batch.pictures, self._words, options=self._options, progress=progress)
        return replace(run, notes=(*self._model.notes, *batch.notes, *run.notes))


def _words(labels: Sequence[str] | None, vocabulary: Vocabulary | StrPath) -> Vocabulary:
    if labels is not None and vocabulary:
        raise InputError("both labels and a vocabulary were given; give one of them")
    if labels is not None:
        return vocabulary_from_labels(labels)
    if isinstance(vocabulary, Vocabulary):
        return vocabulary
    if not isinstance(vocabulary, (str, os.PathLike)):
        raise InputError(f"the vocabulary is a {type(vocabulary).__name__}; give a Vocabulary, a file, or words")
    return vocabulary_from_text(os.fspath(vocabulary))
