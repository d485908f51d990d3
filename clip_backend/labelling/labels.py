"""Labels for pictures, each judged by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..running.image_run import Progress
from ..words.vocabulary import Vocabulary
from .answers import Labelled
from .options import LabelOptions
from .picture_answers import answers_of
from .picture_scores import score_pictures

if TYPE_CHECKING:
    from ..encoder import Encoder
    from ..preparing.pictures_in import Pictures


def label_pictures(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """The labels of pictures: of a vocabulary of one facet the one that fits, of several a few words put together.

    Pictures that cannot be read are in ``failed``. progress: called with (done, in all), for texts that are new to the
    encoder and then for the pictures; what it raises stops the run.
    Raises InputError if there are no pictures, for a template in which a label has no place, and for a model that
    lacks one of its halves.
    """
    scored = score_pictures(encoder, pictures, vocabulary, options=options or LabelOptions(), progress=progress)
    return scored.labelled(tuple(answers_of(scored)))
