"""An encoder that is a table of vectors, so that every score can be worked out by hand; it counts what it is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, Identity, TextFeatures
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.scoring.banks import neutral_captions
from clip_grid.errors import InputError

#: A picture of which every text knows its cosine, and the direction of all noise.
PICTURE = (1.0, 0.0, 0.0, 0.0)
NOISE = (0.0, 0.0, 1.0, 0.0)
IDENTITY = Identity(name="table", space="table", dim=4, fingerprint="f", cache_key="k", dtype="fp32")


def text_at(cosine: float, on_noise: float = 0.0) -> tuple[float, ...]:
    """A text with this cosine to PICTURE, and with that to noise, which is its noise floor too."""
    return cosine, math.sqrt(1 - cosine**2 - on_noise**2), on_noise, 0.0


def quarter_at(high: float, low: float) -> Callable[[int], tuple[float, ...]]:
    """The 256 captions: of every four, one at the cosine ``high`` to PICTURE, and three at ``low``."""
    return lambda place: (one := high if place % 4 == 0 else low, 0.0, 0.0, math.sqrt(1 - one**2))


def all_at(cosine: float) -> Callable[[int], tuple[float, ...]]:
    return quarter_at(cosine, cosine)


@dataclass
class Images:
    """What matching looks at in ``ImageFeatures``, without torch."""

    vectors: np.ndarray
    names: tuple[str, ...]
    kept: tuple[int, ...]
    failed: tuple[FailedPicture, ...]
    notes: tuple[str, ...] = ()

    def to_features(self, ids: Sequence[str] | None = None) -> Features:
        return Features.from_raw(self.vectors, self.names if ids is None else ids, "table")


@dataclass
class VectorEncoder:
    """Pictures are names; those of ``pictures`` have a vector, all others are broken, and arrays are noise."""

    texts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    pictures: dict[str, tuple[float, ...]] = field(default_factory=lambda: {"cat.png": PICTURE})
    captions: Callable[[int], tuple[float, ...]] = field(default_factory=lambda: all_at(0.0))
    logit_scale: float = 10.0
    logit_bias: float = 0.0
    identity: Identity = IDENTITY
    dropped: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    space: str = "table"

    def encode_images(self, pictures, *, strict=True, progress=None, **_):
        given = [pictures] if isinstance(pictures, str) else list(pictures)
        if not given:
            raise InputError("no pictures were given; give at least one")
        names = [one if isinstance(one, str) else f"picture {n}" for n, one in enumerate(given, 1)]
        rows = [self.pictures.get(one) if isinstance(one, str) else NOISE for one in given]
        self.seen += [one for one in given if isinstance(one, str)]
        kept = tuple(place for place, row in enumerate(rows) if row is not None)
        failed = [FailedPicture(n, name, "read", "is broken") for n, name in enumerate(names) if rows[n] is None]
        if progress:
            progress(len(given), len(given))
        vectors = np.array([rows[place] for place in kept], np.float32).reshape(len(kept), 4 if not kept else -1)
        return Images(vectors, tuple(names[place] for place in kept), kept, tuple(failed))

    def encode_texts(self, texts, *, long_text="truncate", **_):
        bank = {caption: place for place, caption in enumerate(neutral_captions())}
        self.read += [text for text in texts if text not in bank]
        rows = [
            self.captions(bank[text]) if text in bank and text not in self.texts else self.texts[text] for text in texts
        ]
        unit = Features.from_raw(np.array(rows, np.float32), texts, "table")
        dropped = tuple(self.dropped.get(text, "") if long_text == "truncate" else "" for text in texts)
        return TextFeatures(unit.vectors, unit.ids, "table", dropped)

    def assuming(self, *names: str) -> VectorEncoder:
        return replace(self, identity=replace(self.identity, assumed=names))
