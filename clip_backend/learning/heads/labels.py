"""Labels by a head: the same labels, with the same rules and in the same result, as those of a vocabulary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ....errors import InputError
from ....imaging import Progress
from ...labelling.labels import picture_labels
from ...labelling.options import LabelOptions
from ...labelling.result import Labelled
from ...labelling.scores import LEAST_LEAD, LEAST_SHARE, FacetScores, Rules, VocabularyScores
from ...preparing.blank import emptiness_of_each
from ...words.vocabulary import Facet
from .head import Head

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder
    from ...encoding.features import Features
    from ...preparing.pictures import Pictures

#: The facet of the classes.
FACET = "class"


def label_by_head(
    encoder: Encoder,
    pictures: Pictures,
    head: Head,
    *,
    name: str = "",
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """The classes of pictures, as ``label_pictures`` gives the labels of a vocabulary; unreadable ones are ``failed``.

    A class needs the least probability and the lead that a label of a vocabulary needs. There are no unrelated nouns
    and no templates: a head knows its classes alone, and a blank picture is for it a picture like any other.
    name: of the head, for the result. Raises SpaceError, with both fingerprints, for an encoder that the head was not
    learnt on, InputError for options that a head does not take, and what ``label_pictures`` raises.
    """
    options = options or LabelOptions()
    if options.templates.strip():
        raise InputError("templates are for labels that are texts, and a head's classes are not; leave templates out")
    head.check(encoder)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    features = images.to_features() if images.kept else None
    rules = Rules(
        is_sigmoid=False, multiple=options.multiple, by_z=False, is_composed=False, has_nouns=False,
        threshold=options.threshold or LEAST_SHARE, margin=options.margin or LEAST_LEAD, top_k=options.top_k,
        scale=f"softmax over the {len(head.classes)} classes of the head",
    )  # fmt: skip
    run = Labelled(
        pictures=(), failed=images.failed, model=encoder.identity.name, vocabulary=name or "head",
        notes=tuple(dict.fromkeys((*encoder.identity.notes, *images.notes))),
    )  # fmt: skip
    scores = VocabularyScores(
        features=features,
        indices=images.kept,
        emptiness=emptiness_of_each(None, len(images.kept)),
        facets=() if features is None else (_scores(head, features, rules),),
        rules=rules,
        run=run,
    )
    return replace(run, pictures=tuple(picture_labels(scores)))


def _scores(head: Head, features: Features, rules: Rules) -> FacetScores:
    probabilities = head.probabilities(features.vectors)
    facet = Facet(name=FACET, labels=head.classes)
    return FacetScores(
        facet=facet, cosines=None, z=None, probabilities=probabilities, sigmoids=None, shares=probabilities,
        noun_shares=np.zeros((len(features), 0)), nouns=(), no_defect=np.zeros(len(features)), margin=rules.margin,
    )  # fmt: skip
