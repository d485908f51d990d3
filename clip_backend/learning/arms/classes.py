"""Classes: the base model by the classes' names, heads, and the most frequent class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ....options import check_templates
from ...encoding.features import Vectors
from ...labelling.scores import embed_labels
from ...scoring.scales import Float64s, softmax
from ...words.vocabulary import GIVEN_TEMPLATES
from ..heads.head import Head
from ..heads.pool import Pool
from ..measures.classes import measure_classes
from ..measures.estimates import Measured
from ..options import TrainOptions
from .rows import PictureRows

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassArms:
    """Labelled pictures as one encoder sees them, what is learnt from, and what is measured on."""

    rows: PictureRows
    classes: tuple[str, ...]
    #: The class of each row [N].
    labels: Ints
    encoder: Encoder
    options: TrainOptions

    @classmethod
    def of(cls, rows: PictureRows, encoder: Encoder, options: TrainOptions, classes: Sequence[str] = ()) -> ClassArms:
        """classes: by which the labels are counted; those of the data without any.

        Raises InputError for a label that is none of them.
        """
        names = tuple(classes) or tuple(dict.fromkeys(str(one.label) for one in rows.examples))
        place = {name: number for number, name in enumerate(names)}
        if unknown := [one for one in rows.examples if one.label not in place]:
            raise InputError(
                f"{unknown[0].name} is labelled {unknown[0].label!r}, which is none of the learnt classes "
                f"{', '.join(names[:10])}; leave it out, or train with it"
            )
        labels = np.array([place[str(one.label)] for one in rows.examples], np.int64)
        return cls(rows=rows, classes=names, labels=labels, encoder=encoder, options=options)

    @cached_property
    def texts(self) -> Vectors | None:
        """Unit vectors of the classes' names [K, D]; None without a text encoder.

        Raises InputError for a template without a place for the name.
        """
        templates = [line.strip() for line in self.options.templates.splitlines() if line.strip()] or GIVEN_TEMPLATES
        check_templates(templates)
        try:
            return embed_labels(self.encoder, spoken_names(self.classes), templates).vectors
        except InputError:
            return None

    def pool(self) -> Pool:
        """What heads learn from: all rows that are not measured on."""
        keep = self.rows.learnt
        groups = tuple(self.rows.groups[place] for place in keep)
        return Pool(
            features=self.rows.vectors[keep], labels=self.labels[keep], classes=self.classes, groups=groups,
            texts=self.texts, logit_scale=self.encoder.logit_scale, seed=self.options.seed,
        )  # fmt: skip

    def base(self) -> Measured | None:
        """The classes' names alone; None without a text encoder."""
        if self.texts is None:
            return None
        cosines = self.rows.vectors[self.rows.test].astype(np.float64) @ self.texts.T
        return self._measured(softmax(cosines * self.encoder.logit_scale))

    def chance(self) -> Measured:
        """Every picture is of the class that most of the learnt pictures are of."""
        counts = np.bincount(self.labels[self.rows.learnt], minlength=len(self.classes)) + 1.0
        return self._measured(np.tile(counts / counts.sum(), (len(self.rows.test), 1)))

    def head(self, head: Head) -> Measured:
        """A head for these classes in this order."""
        return self._measured(head.probabilities(self.rows.vectors[self.rows.test]))

    def measuring_only(self) -> ClassArms:
        """A copy in which all rows are measured on."""
        return replace(self, rows=self.rows.measuring_only())

    def _measured(self, probabilities: Float64s) -> Measured:
        test = self.rows.test
        groups = [self.rows.groups[place] for place in test]
        return measure_classes(probabilities, self.labels[test], groups, seed=self.options.seed)


def spoken_names(classes: Sequence[str]) -> list[str]:
    """The names of classes as they stand in sentences, all different: folders have underscores for blanks."""
    names = [name.replace("_", " ").strip() or name for name in classes]
    return names if len(set(names)) == len(names) else list(classes)
