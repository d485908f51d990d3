"""Vectors with the statistics of real models' embeddings, drawn by numpy: no rule may be judged by the bundled model.

A picture is a direction that all pictures share plus its content; a text is a direction that all texts share plus its
content. Contents share a topic, of a kind of topics, and a caption also the details of its picture. The parameters were
fitted to 500 photographs of COCO with their captions by OpenAI's ViT-B/16, and to published figures of LAION's and
SigLIP's models; the cosines that they give stand in ``PUBLISHED``, and test_synthetic.py holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from zlib import crc32

import numpy as np
from clip_grid.clip_backend.encoding.features import Features, Identity, TextFeatures, unit_rows
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.scoring.scales import length_class

DIM = 512
#: Directions that texts alone have.
TEXT_ONLY = 100
SPACE = "synthetic"
#: Contrast and correlation (``pixel_statistics``) of an ordinary photograph.
PHOTOGRAPH = (50.0, 0.9)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The parameters of one family of models."""

    name: str
    logit_scale: float = 100.0
    logit_bias: float = 0.0
    is_sigmoid: bool = False
    #: Directions of content that pictures and texts share.
    shared: int = 300
    kinds: int = 6
    topics: int = 80
    #: The part that all pictures have in common, and the cosine of that direction with the texts'.
    cone: float = 0.73
    angle: float = 0.275
    #: Of the content of pictures and captions: the squared weights of kind, topic and details.
    weights: tuple[float, float, float] = (0.17, 0.10, 0.08)
    #: Of the content of words: the weights of kind and topic.
    word_weights: tuple[float, float] = (0.20, 0.27)
    #: How much higher the cosines of words are than those of captions.
    short: float = 0.036
    #: The standard deviations of the offsets of pictures, captions and words.
    picture_offset: float = 0.012
    caption_offset: float = 0.020
    word_offset: float = 0.010
    #: How much the clearness of contents and of words varies.
    quality: float = 0.05
    clearness: float = 0.35


OPENAI = Setting(name="OpenAI B/16")
LAION = Setting(
    name="LAION",
    shared=420,
    kinds=8,
    cone=0.55,
    angle=0.13,
    weights=(0.12, 0.11, 0.13),
    word_weights=(0.22, 0.30),
    short=0.045,
    picture_offset=0.022,
    caption_offset=0.022,
    clearness=0.25,
)
SIGLIP = Setting(
    name="SigLIP",
    logit_scale=118.2,
    logit_bias=-12.7,
    is_sigmoid=True,
    shared=420,
    kinds=8,
    cone=0.60,
    angle=-0.13,
    weights=(0.12, 0.08, 0.06),
    word_weights=(0.34, 0.42),
    short=0.008,
    picture_offset=0.014,
    caption_offset=0.017,
    quality=0.08,
    clearness=0.25,
)
SETTINGS = (OPENAI, LAION, SIGLIP)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Cosines of 500 pictures with their captions and with words: mean and standard deviation where there are two."""

    true: tuple[float, float]
    unrelated: tuple[float, float]
    #: The standard deviation among the unrelated captions of one picture.
    within: float
    short_true: float
    short_false: float
    among_pictures: float
    gap: float
    #: The share of pictures that find their own caption first.
    recall: float


PUBLISHED: Mapping[str, Published] = {
    OPENAI.name: Published(
        true=(0.310, 0.032),
        unrelated=(0.163, 0.047),
        within=0.045,
        short_true=0.260,
        short_false=0.188,
        among_pictures=0.55,
        gap=0.88,
        recall=0.48,
    ),
    LAION.name: Published(
        true=(0.290, 0.043),
        unrelated=(0.053, 0.056),
        within=0.051,
        short_true=0.20,
        short_false=0.09,
        among_pictures=0.31,
        gap=0.72,
        recall=0.84,
    ),
    SIGLIP.name: Published(
        true=(0.118, 0.039),
        unrelated=(-0.035, 0.047),
        within=0.045,
        short_true=0.104,
        short_false=-0.029,
        among_pictures=0.37,
        gap=0.90,
        recall=0.40,
    ),
}


class Synthetic:
    """Draws unit vectors of pictures, captions and words, float32 [N, 512]; topics are numbers below ``topics``."""

    def __init__(self, setting: Setting, seed: int = 0) -> None:
        self.setting = setting
        self.random = np.random.default_rng(seed)
        axes = np.linalg.qr(self.random.standard_normal((DIM, DIM)))[0].T
        self._pictures, self._captions = axes[0], axes[1]
        #: Shared by pictures and texts, and of texts alone; 512 dimensions hold fewer of these beside 420 shared ones.
        self._shared = axes[2 : 2 + setting.shared]
        self._text_only = axes[2 + setting.shared : 2 + setting.shared + TEXT_ONLY]
        self._texts = setting.angle * axes[0] + np.sqrt(1 - setting.angle**2) * axes[1]
        self._content = np.sqrt(1 - setting.cone**2)
        self._kind_of = self.random.integers(setting.kinds, size=setting.topics)
        self._kinds, self._topics = self._among(setting.kinds), self._among(setting.topics)
        self._noise = self._among(1)

    def topics(self, count: int) -> np.ndarray:
        """Random topics [N]."""
        return self.random.integers(self.setting.topics, size=count)

    def details(self, count: int) -> np.ndarray:
        """What a picture and its own caption have in common beside their topic [N, 512]."""
        return self._among(count)

    def pictures(self, topics: np.ndarray, details: np.ndarray) -> np.ndarray:
        """Pictures of these topics with these details."""
        offset = self.setting.picture_offset / self.setting.cone * self._normal(len(topics)) * self._captions
        return _unit(self.setting.cone * self._pictures + offset + self._content * self._contents(topics, details))

    def captions(self, topics: np.ndarray, details: np.ndarray) -> np.ndarray:
        """Captions of pictures of these topics with these details."""
        offset = self.setting.caption_offset / self.setting.cone * self._normal(len(topics)) * self._pictures
        return _unit(self.setting.cone * self._texts + offset + self._content * self._contents(topics, details))

    def words(self, topics: np.ndarray) -> np.ndarray:
        """Short texts that name these topics."""
        count, (kind, topic) = len(topics), self.setting.word_weights
        clearness = np.clip(1 + self.setting.clearness * self._normal(count), 0.2, None)
        named = clearness * (kind * self._kinds[self._kind_of[topics]] + topic * self._topics[topics])
        own = named + np.sqrt(1 - kind**2 - topic**2) * self._among(count, self._text_only)
        offset = (self.setting.short + self.setting.word_offset * self._normal(count)) / self.setting.cone
        rest = 0.12 * self._content * self._among(count)
        return _unit(self.setting.cone * self._texts + offset * self._pictures + self._content * own + rest)

    def noise(self, count: int) -> np.ndarray:
        """Pictures of noise: nearly the same content for all, and higher cosines with every text."""
        content = _unit(self._noise + 0.08 * self._among(count))
        offset = 0.05 / self.setting.cone * self._captions
        return _unit(self.setting.cone * self._pictures + offset + self._content * content)

    def _contents(self, topics: np.ndarray, details: np.ndarray) -> np.ndarray:
        kind, topic, detail = self.setting.weights
        told = (
            kind**0.5 * self._kinds[self._kind_of[topics]] + topic**0.5 * self._topics[topics] + detail**0.5 * details
        )
        clearness = np.clip(1 + self.setting.quality * self._normal(len(topics)), 0.3, None)
        return _unit(clearness * told + (1 - kind - topic - detail) ** 0.5 * self._among(len(topics)))

    def _normal(self, count: int) -> np.ndarray:
        return self.random.standard_normal((count, 1))

    def _among(self, count: int, axes: np.ndarray | None = None) -> np.ndarray:
        """Random directions within the span of the axes, by default the shared ones."""
        axes = self._shared if axes is None else axes
        return _unit(self.random.standard_normal((count, len(axes)))) @ axes


def _unit(rows: np.ndarray) -> np.ndarray:
    return unit_rows(rows, [""] * len(rows))


@dataclass
class SyntheticEncoder:
    """An encoder of given vectors; a text without one gets that of a random caption or word, always the same.

    pictures: the vector of each by its name; pictures of other names cannot be read. texts: the vector of each.
    statistics: of a picture's pixels, by its name; the others are photographs.
    """

    synthetic: Synthetic
    pictures: Mapping[str, np.ndarray]
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    statistics: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        """The numbers of its setting."""
        own = self.synthetic.setting
        return Identity(
            name=own.name,
            space=SPACE,
            dim=DIM,
            fingerprint=own.name,
            cache_key=own.name,
            dtype="fp32",
            logit_scale=own.logit_scale,
            logit_bias=own.logit_bias,
            is_sigmoid=own.is_sigmoid,
        )

    space = SPACE
    logit_scale = property(lambda self: self.identity.logit_scale)
    logit_bias = property(lambda self: self.identity.logit_bias)

    def encode_texts(self, texts, *, long_text="truncate", batch_size=None, progress=None):
        """The vectors of the texts, whatever ``long_text`` is."""
        texts = [texts] if isinstance(texts, str) else texts
        rows = [self.texts[text] if text in self.texts else self._other(text) for text in texts]
        return TextFeatures(np.stack(rows), tuple(texts), SPACE, ("",) * len(texts))

    def encode_images(self, pictures, *, strict=True, progress=None, with_statistics=False, **unused):
        """The vectors of the pictures."""
        names = list(pictures)
        kept = [place for place, name in enumerate(names) if name in self.pictures]
        failed = [
            FailedPicture(place, name, "read", "there is no such file")
            for place, name in enumerate(names)
            if name not in self.pictures
        ]
        read = [names[place] for place in kept]
        statistics = np.array([self.statistics.get(name, PHOTOGRAPH) for name in read], np.float32)
        return SimpleNamespace(
            kept=tuple(kept),
            names=tuple(read),
            failed=tuple(failed),
            notes=(),
            statistics=statistics if with_statistics else None,
            to_features=lambda ids=None: Features(
                np.stack([self.pictures[name] for name in read]), tuple(ids or read), SPACE
            ),
        )

    def _other(self, text: str) -> np.ndarray:
        drawn = copy(self.synthetic)
        drawn.random = np.random.default_rng(crc32(text.encode()))
        topics = drawn.topics(1)
        is_short = length_class(text) == "short"
        return (drawn.words(topics) if is_short else drawn.captions(topics, drawn.details(1)))[0]
