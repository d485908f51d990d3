"""A model of synthetic vectors that sees the pictures and texts of the check as a real one does, or wrongly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, Identity, TextFeatures
from clip_grid.clip_backend.model_check.pictures import check_pictures, nothing_pictures
from clip_grid.clip_backend.scoring.scales import bank

from ..scoring.synthetic import OPENAI, SPACE, Setting, Synthetic, SyntheticEncoder

#: How much of its picture a caption or a word has beside what it has in common with it anyway.
CLEARNESS = 0.06
#: Of scikit-image.
PHOTOGRAPHS = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "camera.png")
SHORT, LONG = list(bank().nouns.values()), list(bank().captions)
NOTHING = sum(map(len, nothing_pictures().values()))


@dataclass
class SyntheticModel:
    """Vectors of the check's pictures in their order, and of its texts; other texts get one of their own."""

    identity: Identity
    pictures: np.ndarray
    texts: SyntheticEncoder
    #: Hidden size, grid and projection.
    shape: tuple[int, tuple[int, int], int] = (1024, (16, 16), 768)
    notes: tuple[str, ...] = ()

    space = SPACE

    def encode_texts(self, texts, *, long_text="truncate", **unused) -> TextFeatures:
        return self.texts.encode_texts(texts)

    def encode_images(self, pictures, *, progress=None, **unused) -> Any:
        assert len(pictures) == len(self.pictures)
        if progress:
            progress(len(pictures), len(pictures))
        hidden, grid, projection = self.shape
        return SimpleNamespace(
            hidden_size=hidden,
            grid=grid,
            projection_dim=projection,
            notes=self.notes,
            to_features=lambda ids: Features(self.pictures, tuple(ids), SPACE),
        )

    def with_texts(self, texts: dict[str, np.ndarray]) -> SyntheticModel:
        """The model with other vectors for some texts."""
        return replace(self, texts=replace(self.texts, texts={**self.texts.texts, **texts}))


def synthetic_model(setting: Setting = OPENAI, seed: int = 0) -> SyntheticModel:
    """Each picture of a topic of its own, of which its caption and its word are too; noise for what shows nothing."""
    return _synthetic_model(setting, seed, check_pictures().kind)


@cache
def _synthetic_model(setting: Setting, seed: int, kind: str) -> SyntheticModel:
    shown = check_pictures()
    assert shown.kind == kind
    draw = Synthetic(setting, seed)
    others = [name for name in shown.captions if name not in shown.pictures]
    topic_of = dict(zip([*shown.pictures, *others], draw.random.permutation(setting.topics), strict=False))
    details = dict(zip(topic_of, draw.details(len(topic_of)), strict=True))

    def of(names):
        return np.array([topic_of[name] for name in names]), np.stack([details[name] for name in names])

    pictures = np.concatenate([draw.pictures(*of(shown.pictures)), draw.noise(NOTHING)])
    captions = dict(zip(shown.captions.values(), draw.captions(*of(shown.captions)), strict=True))
    words = dict(zip(shown.words.values(), draw.words(of(shown.words)[0]), strict=True))
    for name in shown.words:
        # z of 3.5 to 8.4 were published for the photographs, which show one thing each: more than those of COCO have
        for texts, text in ((captions, shown.captions[name]), (words, shown.words[name])):
            texts[text] = unit(texts[text] + CLEARNESS * pictures[list(shown.pictures).index(name)])
    encoder = SyntheticEncoder(draw, {}, captions | words)
    several = [*SHORT, *LONG]
    texts = dict(zip(several, encoder.encode_texts(several).vectors, strict=True)) | captions | words
    identity = replace(encoder.identity, name=f"{setting.name.replace('/', '-')}.safetensors")
    return SyntheticModel(identity, pictures, replace(encoder, texts=texts))


def unit(row: np.ndarray) -> np.ndarray:
    """The vector at length 1, float32."""
    return (row / np.linalg.norm(row)).astype(np.float32)


def vectors_of(model: SyntheticModel, texts: Iterable[str]) -> np.ndarray:
    """The vectors of texts [N, 512]."""
    return model.encode_texts(list(texts)).vectors
