"""``CLIPEmbedder``: embeddings of pictures and texts for asynchronous programs, computed in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..clip_backend.encoding.batching import empty_device_cache
from ..clip_backend.encoding.cache import shared_encoders
from ..clip_backend.encoding.devices import choose_device
from ..clip_backend.encoding.image_features import FailedPicture
from ..clip_backend.encoding.outcomes import Ok, Outcome
from ..errors import InputError
from ..log import logger
from .models import Model, ModelChoice
from .pictures import StrPath

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.preparing.pictures import OnePicture

T = TypeVar("T")
#: A unit vector float32 [D], or several of them [N, D].
Embedding = NDArray[np.float32]
DEFAULT_MODEL = "openai/clip-vit-base-patch32"
CLOSED = "the embedder is closed; make a new CLIPEmbedder"


class CLIPEmbedder:
    """Unit vectors of pictures and texts by one model, which is opened when it is first needed, or by ``async with``.

    The model works in a thread of its own, never in the event loop: methods with ``await`` leave the loop free, and
    cancelling the task that awaits one stops its work within a batch. The others wait for their result; in a program
    that must not wait call them by ``asyncio.to_thread``.
    """

    def __init__(
        self,
        model_name: Model = DEFAULT_MODEL,
        device: str = "auto",
        *,
        download: bool = False,
        cache: bool = True,
        **options: Any,
    ) -> None:
        """model_name: a path, a name that ``clip-grid models`` lists, or an encoder of ``load_encoder``.

        device: "auto", "cpu", "cuda", "cuda:0" or another one of torch. download: fetch a name of the Hugging Face hub
        that is not on this machine. cache: keep embeddings in the user's cache folder. options: as for
        ``load_encoder``. Opening the model raises what ``load_encoder`` raises.
        """
        self._choice = ModelChoice.of(model_name, device=device, download=download, cache=cache, **options)
        #: Whether the caller has the model too.
        self._is_shared = self._choice.is_loaded
        self._device = device
        self._encoder: Encoder | None = None
        #: Streams that are not finished.
        self._streams: set[_Stream] = set()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="clip_grid_embedder")
        self._is_closed = False
        self._closing = Lock()

    async def generate_embedding(self, image_path: StrPath) -> Embedding | None:
        """The embedding of a picture file [D]; None, with a warning that says why, if it cannot be used.

        Raises FileNotFoundError for a file that does not exist.
        """

        def compute() -> Embedding | None:
            if not os.path.exists(image_path):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(image_path))
            (outcome,) = map(_checked, self._open().stream_images(_singly([image_path])))
            return _vector(outcome)

        return await asyncio.wrap_future(self._submit(compute))

    async def generate_embeddings_batch(
        self, image_paths: Iterable[StrPath], batch_size: int = 32, show_progress: bool = True
    ) -> list[Embedding | None]:
        """The embedding of each picture file [D], in order; None for each that failed, with a warning that says why.

        show_progress: show a bar on stderr if that is a terminal.
        """
        from tqdm import tqdm

        paths = _listed(image_paths)
        vectors: list[Embedding | None] = [None] * len(paths)
        if not paths:
            return vectors
        # a terminal shows the bar, a file or pipe does not
        with tqdm(total=len(paths), unit="picture", disable=None if show_progress else True) as bar:
            async with aclosing(self._parts(paths, batch_size, batch_size)) as parts:
                async for outcomes in parts:
                    for outcome in outcomes:
                        vectors[outcome.index] = _vector(outcome)
                    bar.update(len(outcomes))
        return vectors

    async def stream(
        self, image_paths: Iterable[StrPath], batch_size: int | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Each picture file in order, as batches finish: an ``Ok`` with its ``embedding`` [D], or a ``FailedPicture``.

        image_paths: may be an endless generator, which is gone through in the embedder's thread as paths are needed.
        batch_size: without it what fits the memory.
        """
        async with aclosing(self._parts(image_paths, batch_size, 1)) as parts:
            async for outcomes in parts:
                for outcome in outcomes:
                    yield outcome

    def encode_text(self, text: str | Sequence[str]) -> Embedding:
        """The embedding of a text [D], or of each of several [N, D]; what a text is too long for is warned about.

        Raises InputError for an empty text, and for a model without a text encoder.
        """
        texts = [text] if isinstance(text, str) else list(text)

        def compute() -> Embedding:
            encoder = self._open()
            if not texts:
                return np.empty((0, encoder.dim), np.float32)
            features = encoder.encode_texts(texts)
            for one, dropped in zip(texts, features.dropped, strict=False):
                if dropped:
                    logger.warning("%r is longer than the model reads; left out: %r", one[:40], dropped)
            return features.vectors

        vectors = self._submit(compute).result()
        return vectors[0] if isinstance(text, str) else vectors

    def compute_similarity(self, embedding1: Embedding, embedding2: Embedding) -> float:
        """The cosine of two embeddings, -1 to 1; raises InputError for two of different length, and for a zero one."""
        first, second = (np.asarray(one, np.float64).ravel() for one in (embedding1, embedding2))
        if first.shape != second.shape:
            raise InputError(f"the embeddings have {len(first)} and {len(second)} dimensions; give two of one model")
        lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
        if not 0 < lengths < np.inf:
            raise InputError("an embedding is zero or not finite and has no direction; leave it out")
        return float(np.clip(first @ second / lengths, -1, 1))

    def get_embedding_dimension(self) -> int:
        """The length of an embedding."""
        return self._submit(lambda: self._open().dim).result()

    def close(self) -> None:
        """Stops running work within a batch, frees the model and ends the thread; what is asked later is an error.

        Awaited work that did not finish raises InputError.
        """
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                for stream in list(self._streams):
                    stream.is_stopped = True
                self._worker.submit(self._release)
        self._worker.shutdown()

    async def aclose(self) -> None:
        """``close``, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Self:
        await asyncio.wrap_future(self._submit(self._open))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _parts(
        self, paths: Iterable[StrPath], batch_size: int | None, most: int
    ) -> AsyncGenerator[list[Outcome], None]:
        """Outcomes, at most so many at a time; the worker is free for other work between them."""

        def start() -> _Stream:
            outcomes = self._open().stream_images(_singly(paths), batch_size=batch_size)
            started = _Stream(outcomes)
            self._streams.add(started)
            return started

        stream: _Stream | None = None
        try:
            stream = await asyncio.wrap_future(self._submit(start))
            while part := await asyncio.wrap_future(self._submit(lambda: stream.part(most))):
                yield part
        finally:
            if stream is not None:
                self._stop(stream)

    def _open(self) -> Encoder:
        """The encoder; called in the worker."""
        if self._encoder is None:
            self._encoder = self._choice()
            logger.info("the embedder uses %s", self._encoder.identity.name)
            for note in self._choice.notes:
                logger.info("%s", note)
        return self._encoder

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        """What will be the result of the work in the worker; raises InputError once the embedder is closed."""

        def unless_closed() -> T:
            if self._is_closed:
                raise InputError(CLOSED)
            return work()

        with self._closing:
            if self._is_closed:
                raise InputError(CLOSED)
            return self._worker.submit(unless_closed)

    def _stop(self, stream: _Stream) -> None:
        """Has the worker end a stream, after the batch that it computes."""
        stream.is_stopped = True

        def end() -> None:
            stream.outcomes.close()
            self._streams.discard(stream)

        with self._closing:
            # closing the embedder ends all streams
            if not self._is_closed:
                self._worker.submit(end)

    def _release(self) -> None:
        for stream in self._streams:
            stream.outcomes.close()
        self._streams.clear()
        encoder, self._encoder = self._encoder, None
        self._choice = ModelChoice()
        if encoder is None or self._is_shared:
            return
        shared_encoders().discard(encoder)
        del encoder
        # a model may be part of reference cycles
        gc.collect()
        empty_device_cache(choose_device(self._device))


class CLIPModel(CLIPEmbedder):
    """The earlier name of ``CLIPEmbedder``, for scripts that use it."""

    def encode_image(self, image: OnePicture) -> Embedding:
        """The embedding of a PIL picture, array, tensor or file [D]; raises PictureError if it cannot be used."""
        vector: Embedding = self._submit(lambda: self._open().encode_images(image).to_features().vectors[0]).result()
        return vector


class _Stream:
    """A running stream; its outcomes are taken in the worker alone."""

    def __init__(self, outcomes: Generator[Outcome, None, None]) -> None:
        self.outcomes = outcomes
        self.is_stopped = False

    def part(self, most: int) -> list[Outcome]:
        """The next outcomes; fewer than ``most`` at the end, and where it was stopped meanwhile."""
        taken = []
        for outcome in islice(self.outcomes, most):
            taken.append(_checked(outcome))
            if self.is_stopped:
                break
        return taken


def _checked(outcome: Outcome) -> Outcome:
    """The outcome; a failure for a picture whose embedding has no direction."""
    try:
        if isinstance(outcome, Ok) and outcome.embedding is None:
            raise InputError("the model gives no embedding for it; choose another model")
    except InputError as error:
        return FailedPicture(outcome.index, outcome.name, "encode", str(error))
    return outcome


def _vector(outcome: Outcome) -> Embedding | None:
    if isinstance(outcome, Ok):
        return outcome.embedding
    logger.warning("%s has no embedding: %s", outcome.name, outcome.reason)
    return None


def _listed(paths: Iterable[StrPath]) -> list[StrPath]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def _singly(paths: Iterable[StrPath]) -> Iterator[StrPath]:
    """The paths, one for each outcome; raises InputError for a list among them."""
    for number, path in enumerate([paths] if isinstance(paths, (str, os.PathLike)) else paths):
        if isinstance(path, Iterable) and not isinstance(path, (str, os.PathLike)):
            raise InputError(f"image_paths[{number}] is a {type(path).__name__}; give the path of one picture")
        yield path
