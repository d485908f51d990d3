"""An encoder whose cosines are given: how well each picture fits each text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, TextFeatures
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.words.vocabulary import Facet, Vocabulary
from clip_grid.errors import InputError

#: Stands for every text without a given cosine, such as the neutral captions.
OTHER = "other"


@dataclass
class CosineEncoder:
    """Each text is an axis of the embedding space, so that a picture's cosine with it is one of its numbers.

    pictures: by name, the cosine with each text; 0 where none is given. noise: the same for all noise pictures, or for
    each of them. Pictures of other names cannot be read.
    """

    pictures: Mapping[str, Mapping[str, float]]
    noise: Mapping[str, float] | Sequence[Mapping[str, float]] = field(default_factory=dict)
    logit_scale: float = 10.0
    logit_bias: float = 0.0
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
        return SimpleNamespace(name="toy", assumed=self.assumed, notes=self.notes)

    @property
    def axes(self) -> list[str]:
        """The texts that have cosines; two more axes for other texts and for the rest."""
        noise = [self.noise] if isinstance(self.noise, Mapping) else self.noise
        rows = [*self.pictures.values(), *noise]
        return list(dict.fromkeys([OTHER, *(text for row in rows for text in row)]))

    def encode_texts(self, texts, *, long_text="truncate", progress=None):
        self.texts += texts
        places = [self.axes.index(text if text in self.axes else OTHER) for text in texts]
        vectors = np.eye(len(self.axes) + 1, dtype=np.float32)[places]
        return TextFeatures(vectors, tuple(texts), self.space, tuple(text[self.context :] for text in texts))

    def encode_images(self, pictures, *, strict=True, progress=None):
        pictures = list(pictures)
        if not pictures:
            raise InputError("no pictures were given; give at least one")
        rows, names, kept, failed = [], [], [], []
        for place, picture in enumerate(pictures):
            is_noise = isinstance(picture, np.ndarray)
            if not is_noise and picture not in self.pictures:
                failed.append(FailedPicture(place, picture, "read", "there is no such file"))
                continue
            rows.append(self.vector(self._noise(place) if is_noise else self.pictures[picture]))
            names.append("noise" if is_noise else picture)
            kept.append(place)
            if progress:
                progress(place + 1, len(pictures))
        return SimpleNamespace(
            kept=tuple(kept),
            names=tuple(names),
            failed=tuple(failed),
            notes=self.run_notes,
            to_features=lambda ids=None: Features(np.stack(rows), tuple(ids or names), self.space),
        )

    def vector(self, cosines: Mapping[str, float]) -> np.ndarray:
        """The picture with these cosines; what is left of its length goes along the last axis."""
        numbers = np.array([cosines.get(text, 0.0) for text in self.axes])
        return np.append(numbers, np.sqrt(1 - (numbers**2).sum())).astype(np.float32)

    def _noise(self, place: int) -> Mapping[str, float]:
        return self.noise if isinstance(self.noise, Mapping) else self.noise[place % len(self.noise)]


def encoder_of_one(noise: Mapping[str, float] | None = None, **cosines: float) -> CosineEncoder:
    """An encoder that can read "a.png" alone."""
    return CosineEncoder({"a.png": cosines}, noise or {})


def facet_of(labels: Iterable[str], name: str = "label", **given):
    """One facet."""
    return Facet(name=name, labels=tuple(labels), **given)


def vocabulary(*facets):
    """Facets, or the labels of one."""
    if isinstance(facets[0], str):
        facets = (facet_of(facets),)
    return Vocabulary(name="words", facets=facets)
