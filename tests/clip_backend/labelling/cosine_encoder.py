"""An encoder whose cosines are given: how well each picture fits each text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, TextFeatures
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.clip_backend.words.vocabulary import Facet, Vocabulary
from clip_grid.errors import InputError

#: Stands for every text without a given cosine, such as the unrelated nouns.
OTHER = "other"
#: How many nouns compete where no label names one.
NOUNS = len(bank().nouns)
#: What stands before a label in the first template of those that are given.
PHOTO = "a photo of a "
#: Contrast and correlation (``pixel_statistics``) of a picture that shows something, of a blank one, and of noise.
STATISTICS = {"": (50.0, 0.9), "blank": (0.5, 0.9), "noise": (60.0, 0.0)}


@dataclass
class CosineEncoder:
    """Each text is an axis of the embedding space, so that a picture's cosine with it is one of its numbers.

    pictures: by name, the cosine with each text; 0 where none is given. A label in a photo has the cosine of the label.
    Pictures of other names cannot be read. empty: of pictures that are blank or noise, what they are.
    """

    pictures: Mapping[str, Mapping[str, float]]
    empty: Mapping[str, str] = field(default_factory=dict)
    logit_scale: float = 10.0
    logit_bias: float = 0.0
    is_sigmoid: bool = False
    context: int = 1000
    assumed: tuple[str, ...] = ()
    #: Of the model, and of encoding the pictures.
    notes: tuple[str, ...] = ()
    run_notes: tuple[str, ...] = ()
    #: The texts that were encoded.
    texts: list[str] = field(default_factory=list)
    space: str = "toy"

    @property
    def identity(self):
        return SimpleNamespace(name="toy", assumed=self.assumed, notes=self.notes, is_sigmoid=self.is_sigmoid)

    @property
    def axes(self) -> list[str]:
        """The texts that have cosines; two more axes for other texts and for the rest."""
        return list(dict.fromkeys([OTHER, *(text for row in self.pictures.values() for text in row)]))

    def encode_texts(self, texts, *, long_text="truncate", progress=None):
        self.texts += texts
        axes = {text: place for place, text in enumerate(self.axes)}
        places = [axes.get(text, axes.get(text.removeprefix(PHOTO), 0)) for text in texts]
        vectors = np.eye(len(axes) + 1, dtype=np.float32)[places]
        return TextFeatures(vectors, tuple(texts), self.space, tuple(text[self.context :] for text in texts))

    def encode_images(self, pictures, *, strict=True, progress=None, with_statistics=False):
        pictures = list(pictures)
        if not pictures:
            raise InputError("no pictures were given; give at least one")
        rows, names, kept, failed = [], [], [], []
        for place, picture in enumerate(pictures):
            if picture not in self.pictures:
                failed.append(FailedPicture(place, picture, "read", "there is no such file"))
                continue
            rows.append(self.vector(self.pictures[picture]))
            names.append(picture)
            kept.append(place)
            if progress:
                progress(place + 1, len(pictures))
        statistics = np.array([STATISTICS[self.empty.get(name, "")] for name in names], np.float32)
        return SimpleNamespace(
            kept=tuple(kept),
            names=tuple(names),
            failed=tuple(failed),
            notes=self.run_notes,
            statistics=statistics if with_statistics else None,
            to_features=lambda ids=None: Features(np.stack(rows), tuple(ids or names), self.space),
        )

    def vector(self, cosines: Mapping[str, float]) -> np.ndarray:
        """The picture with these cosines; what is left of its length goes along the last axis."""
        numbers = np.array([cosines.get(text, 0.0) for text in self.axes])
        return np.append(numbers, np.sqrt(1 - (numbers**2).sum())).astype(np.float32)


def encoder_of_one(**cosines: float) -> CosineEncoder:
    """An encoder that can read "a.png" alone."""
    return CosineEncoder({"a.png": cosines})


def facet_of(labels: Iterable[str], name: str = "label", **given):
    """One facet, by default of labels alone in their prompts."""
    return Facet(name=name, labels=tuple(labels), **{"templates": ("{}",)} | given)


def vocabulary(*facets):
    """Facets, or the labels of one."""
    if isinstance(facets[0], str):
        facets = (facet_of(facets),)
    return Vocabulary(name="words", facets=facets)
