"""An encoder that is a table of vectors, so that every score can be worked out by hand; it counts what it is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, Identity, TextFeatures
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.errors import InputError

#: A picture of which every text knows its cosine.
PICTURE = (1.0, 0.0, 0.0, 0.0)
IDENTITY = Identity(name="table", space="table", dim=4, fingerprint="f", cache_key="k", dtype="fp32")
#: Contrast and correlation of pictures that show something, of blank ones and of noise.
SHOWN, BLANK, NOISE = (50.0, 0.9), (0.4, 1.0), (48.0, 0.01)


def text_at(cosine: float) -> tuple[float, ...]:
    """A text with this cosine to PICTURE."""
    return cosine, math.sqrt(1 - cosine**2), 0.0, 0.0


def bank_at(mean: float, deviation: float) -> Callable[[int], tuple[float, ...]]:
    """Bank texts whose cosines to PICTURE have this mean and standard deviation: half of them above, half below."""
    return lambda place: (one := mean + (deviation if place % 2 else -deviation), 0.0, 0.0, math.sqrt(1 - one**2))


@dataclass
class Images:
    """What matching looks at in ``ImageFeatures``, without torch."""

    vectors: np.ndarray
    names: tuple[str, ...]
    kept: tuple[int, ...]
    failed: tuple[FailedPicture, ...]
    statistics: np.ndarray | None
    notes: tuple[str, ...] = ()

    def to_features(self, ids: Sequence[str] | None = None) -> Features:
        return Features.from_raw(self.vectors, self.names if ids is None else ids, "table")


@dataclass
class VectorEncoder:
    """Pictures are names; those of ``pictures`` have a vector, and all others are broken."""

    texts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    pictures: dict[str, tuple[float, ...]] = field(default_factory=lambda: {"cat.png": PICTURE})
    #: Of each bank, by the place of a text.
    bank: Callable[[int], tuple[float, ...]] = field(default_factory=lambda: bank_at(0.1, 0.05))
    #: Contrast and correlation by picture; the others show something.
    statistics: dict[str, tuple[float, float]] = field(default_factory=dict)
    logit_scale: float = 10.0
    logit_bias: float = 0.0
    identity: Identity = IDENTITY
    dropped: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    space: str = "table"

    def encode_images(self, pictures, *, strict=True, progress=None, with_statistics=False, **_):
        names = [pictures] if isinstance(pictures, str) else list(pictures)
        if not names:
            raise InputError("no pictures were given; give at least one")
        rows = [self.pictures.get(one) for one in names]
        self.seen += names
        kept = tuple(place for place, row in enumerate(rows) if row is not None)
        failed = [FailedPicture(n, name, "read", "is broken") for n, name in enumerate(names) if rows[n] is None]
        if progress:
            progress(len(names), len(names))
        vectors = np.array([rows[place] for place in kept], np.float32).reshape(len(kept), 4 if not kept else -1)
        statistics = np.array([self.statistics.get(names[place], SHOWN) for place in kept], np.float32)
        read = tuple(names[place] for place in kept)
        return Images(vectors, read, kept, tuple(failed), statistics if with_statistics else None)

    def encode_texts(self, texts, *, long_text="truncate", **_):
        banks = (bank().nouns.values(), bank().captions)
        places = {text: place for texts_of in banks for place, text in enumerate(texts_of)}
        self.read += [text for text in texts if text not in places]
        rows = [self.texts[text] if text in self.texts else self.bank(places[text]) for text in texts]
        unit = Features.from_raw(np.array(rows, np.float32), texts, "table")
        dropped = tuple(self.dropped.get(text, "") if long_text == "truncate" else "" for text in texts)
        return TextFeatures(unit.vectors, unit.ids, "table", dropped)

    def assuming(self, *names: str) -> VectorEncoder:
        return replace(self, identity=replace(self.identity, assumed=names))
