"""An encoder: pictures and texts to features of one space, with the model's own preparation of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from ...errors import InputError
from ...imaging import Progress
from ..preparing.pictures import Pictures
from ..preparing.recipe import Recipe
from ..tokenizing.tokenizer import Tokenizer
from .cache import EmbeddingCache
from .features import TextFeatures
from .identity import Identified, Identity
from .image_features import ImageFeatures
from .images import ImageHalf, ImageOptions, Sight
from .texts import TextHalf, TextPart

#: The cure of a model of ours that reads no texts.
OTHER_TEXTS = "choose a full model, or give a text_encoder of the same space"


class Encoder(Protocol):
    """The face of every family of models."""

    @property
    def identity(self) -> Identity:
        """What it is, with what was assumed."""

    @property
    def space(self) -> str:
        """The embedding space: features of two encoders compare only if it is equal."""

    @property
    def dim(self) -> int:
        """The length of an embedding; 0 for a model that gives states alone."""

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by before it becomes a probability; see ``identity.assumed``."""

    @property
    def logit_bias(self) -> float:
        """What is added after that; 0 but for SigLIP."""

    @property
    def fingerprint(self) -> str:
        """Of the weights."""

    @property
    def recipe(self) -> Recipe | None:
        """How pictures are prepared; None if it takes none."""

    def encode_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        strict: bool = True,
        progress: Progress | None = None,
        recipe: Recipe | None = None,
    ) -> ImageFeatures:
        """The wanted states of pictures, in their order: files, PIL, arrays, tensors, batches, or a mixture of these.

        strict: the first picture that cannot be used raises PictureError, and what is none by its type or shape raises
        InputError; else each costs itself alone and stands in ``failed``. progress: called with (done, in all) between
        batches; what it raises stops the run within a batch. recipe: prepares them in another way than the model's own.
        Equal pictures are computed once, and those that the cache knows not at all.
        Raises InputError if there are no pictures, or if the model can give none of the wanted states.
        """

    def encode_texts(
        self,
        texts: str | Sequence[str],
        *,
        long_text: str = "truncate",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> TextFeatures:
        """Unit vectors of texts, in their order; equal ones are computed once.

        long_text: what is done with a text that does not fit. "truncate": its end is left out and stands in
        ``dropped``. "mean", "max": it is encoded in parts, and their unit vectors are put together, by the mean that
        weighs each by its tokens or by the largest number at each place, and made unit again.
        Raises InputError if there are no texts, for an empty one, and for a model that reads none.
        """


class ClipEncoder(Identified):
    """CLIP, LongCLIP and SigLIP by our own towers; see ``Encoder`` for what its members promise."""

    def __init__(
        self,
        identity: Identity,
        *,
        vision: Callable[[], Sight] | None = None,
        text: Callable[[], TextPart] | None = None,
        cache: EmbeddingCache | None = None,
        budget_bytes: int | None = None,
    ) -> None:
        self.identity = identity
        #: The embeddings computed before; its counters tell how many were found.
        self.cache = EmbeddingCache() if cache is None else cache
        self._vision = vision
        self._text = text
        self._budget_bytes = budget_bytes
        self._image_half: ImageHalf | None = None
        self._text_half: TextHalf | None = None
        self._building = Lock()

    # a tower is built when it is first needed: who only searches by words needs no pictures' tower

    @property
    def _images(self) -> ImageHalf:
        if self._vision is None:
            raise InputError(f"{self.identity.name} has no vision tower; choose a model with one to encode pictures")
        with self._building:
            if self._image_half is None:
                self._image_half = ImageHalf(self._vision(), self.identity, self.cache, self._budget_bytes)
            return self._image_half

    @property
    def _texts(self) -> TextHalf:
        if self._text is None:
            why = self.identity.no_texts or f"it has no text tower; {OTHER_TEXTS}"
            raise InputError(f"{self.identity.name} cannot encode texts: {why}")
        with self._building:
            if self._text_half is None:
                self._text_half = TextHalf(self._text(), self.identity, self.cache, self._budget_bytes)
            return self._text_half

    @property
    def tokenizer(self) -> Tokenizer:
        """How texts are read; raises InputError without a text tower."""
        return self._texts.part.tokenizer

    def encode_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        strict: bool = True,
        progress: Progress | None = None,
        recipe: Recipe | None = None,
    ) -> ImageFeatures:
        """The wanted states of pictures."""
        options = ImageOptions(batch_size=batch_size, strict=strict, progress=progress, recipe=recipe)
        return self._images.encode(pictures, wants, options)

    def encode_texts(
        self,
        texts: str | Sequence[str],
        *,
        long_text: str = "truncate",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> TextFeatures:
        """Unit vectors of texts."""
        return self._texts.encode(texts, long_text, batch_size, progress)
