"""An encoder: pictures and texts to features of one embedding space, preprocessing included."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ...errors import InputError
from ...imaging import Progress
from ..preparing.pictures import Pictures
from ..preparing.preprocessing import Preprocessing
from ..tokenizing.tokenizer import Tokenizer
from .cache import EmbeddingCache
from .features import HasIdentity, Identity, TextFeatures
from .image_features import ImageFeatures, VisionEncoder
from .images import collected
from .outcomes import IsKnown, Observe, Outcome
from .stream import ImageEncoder
from .texts import SentenceEncoder, TextEncoder

if TYPE_CHECKING:
    from ..checkpoints.info import CheckpointInfo
    from .devices import LoadOptions

#: The cure for a model that encodes no texts.
OTHER_TEXTS = "choose a full model, or give a text_encoder of the same space"


class Encoder(HasIdentity, Protocol):
    """What every family of models offers."""

    def encode_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        strict: bool = True,
        progress: Progress | None = None,
        preprocessing: Preprocessing | None = None,
        with_statistics: bool = False,
    ) -> ImageFeatures:
        """The wanted states of pictures, in their order: files, PIL, arrays, tensors, batches, or a mixture of these.

        strict: the first picture that cannot be used raises PictureError, and a value that is no picture by its type or
        shape raises InputError; otherwise each is listed in ``failed``. progress: called with (done, in all) between
        batches; what it raises stops the run within a batch. preprocessing: used in place of the model's own.
        with_statistics: also give the ``statistics`` of the pixels, by which blank pictures and noise are told.
        Equal pictures are computed once, and cached ones not at all.
        Raises InputError without pictures, or if the model gives none of the wanted states.
        """

    def stream_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        preprocessing: Preprocessing | None = None,
        observe: Observe | None = None,
        is_known: IsKnown | None = None,
        with_statistics: bool = False,
    ) -> Generator[Outcome, None, None]:
        """Each picture as an ``Ok`` or a ``FailedPicture``, in the order given, as batches are done.

        Pictures of a generator may be endless: they are taken as they are needed, and what was handed over is dropped.
        Closing the stream ends its threads and stops within a batch. Options are those of ``encode_images``, and

        observe: called in the thread that decodes, with the picture, the content of its file (None for what is no file,
        and for a file above 64 MB) and the decoded picture; what it returns becomes ``observed``. A JPEG may be decoded
        smaller than it is, but never smaller than the model needs. An error of this package costs that picture alone.
        is_known: called in these threads with the key of each picture, for a file before it is decoded; where it
        returns True the picture is an ``Ok`` without rows and is not computed.
        Raises InputError, before any picture is read, if the model gives none of the wanted states.
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

        long_text: for a text longer than the context. "truncate" leaves out its end, see ``dropped``. "mean" and "max"
        encode it in parts and pool their unit vectors, by the mean weighted by tokens or by the maximum of each
        dimension, and normalise the result.
        Raises InputError without texts, for an empty one, and for a model without a text encoder.
        """


@dataclass(frozen=True, kw_only=True)
class BuiltFrom:
    """The files that both towers of an encoder are built from, for who builds them anew; one file is given twice."""

    vision: CheckpointInfo
    text: CheckpointInfo
    options: LoadOptions


class ClipEncoder(HasIdentity):
    """The encoder of all families; see ``Encoder`` for its members. Each tower is built when it is first needed."""

    def __init__(
        self,
        identity: Identity,
        *,
        vision: Callable[[], VisionEncoder] | None = None,
        text: Callable[[], TextEncoder] | None = None,
        cache: EmbeddingCache | None = None,
        budget_bytes: int | None = None,
        built_from: BuiltFrom | None = None,
    ) -> None:
        self.identity = identity
        #: None where the towers are not ours.
        self.built_from = built_from
        #: Embeddings computed before; it counts hits and misses.
        self.cache = EmbeddingCache() if cache is None else cache
        self._vision = vision
        self._text = text
        self._budget_bytes = budget_bytes
        self._image_encoder: ImageEncoder | None = None
        self._text_encoder: SentenceEncoder | None = None
        self._building = Lock()

    @property
    def _images(self) -> ImageEncoder:
        if self._vision is None:
            raise InputError(f"{self.identity.name} has no vision tower; choose a model with one to encode pictures")
        with self._building:
            if self._image_encoder is None:
                self._image_encoder = ImageEncoder(self._vision(), self.identity, self.cache, self._budget_bytes)
            return self._image_encoder

    @property
    def _texts(self) -> SentenceEncoder:
        if self._text is None:
            why = self.identity.no_texts or f"it has no text tower; {OTHER_TEXTS}"
            raise InputError(f"{self.identity.name} cannot encode texts: {why}")
        with self._building:
            if self._text_encoder is None:
                self._text_encoder = SentenceEncoder(self._text(), self.identity, self.cache, self._budget_bytes)
            return self._text_encoder

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer; raises InputError without a text encoder."""
        return self._texts.text.tokenizer

    def encode_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        strict: bool = True,
        progress: Progress | None = None,
        preprocessing: Preprocessing | None = None,
        with_statistics: bool = False,
    ) -> ImageFeatures:
        run = self._images.run(
            pictures,
            wants,
            batch_size=batch_size,
            strict=strict,
            progress=progress,
            preprocessing=preprocessing,
            with_statistics=with_statistics,
        )
        return collected(run)

    def stream_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        preprocessing: Preprocessing | None = None,
        observe: Observe | None = None,
        is_known: IsKnown | None = None,
        with_statistics: bool = False,
    ) -> Generator[Outcome, None, None]:
        run = self._images.run(
            pictures,
            wants,
            batch_size=batch_size,
            preprocessing=preprocessing,
            observe=observe,
            is_known=is_known,
            with_statistics=with_statistics,
        )
        return run.outcomes()

    def encode_texts(
        self,
        texts: str | Sequence[str],
        *,
        long_text: str = "truncate",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> TextFeatures:
        return self._texts.encode(texts, long_text, batch_size, progress)
