"""Pictures read and computed on a Ray cluster: read and prepared in tasks, computed by a pool of actors.

Both are the encoder's own code, ``PictureReader`` in a task and ``stream_images`` in an actor. What goes wrong with a
picture comes back as its outcome; a worker that is ended is replaced, and what it worked at is done again. Only the
process that holds the index writes it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ClipGridError, InputError, MissingPackage
from ..encoding.cache import EmbeddingCache
from ..encoding.image_features import FailedPicture
from ..encoding.outcomes import Observe, Ok, Outcome
from ..encoding.reading import ComputedRows, PictureReader, ReadPicture
from ..preparing.pictures import NamedPicture
from ..preparing.preprocessing import Preprocessing, prepare
from .database import KnownHashes

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from ..encoding.encoder import Encoder
    from ..encoding.features import Identity

#: Pictures that one task reads: some dozen megabytes once they are prepared.
READ_AT_ONCE = 128
#: Pictures at a time for models that take any shape, which are prepared where they are computed.
WHOLE_AT_ONCE = 8
#: Memory that a task asks for: one decoded picture and the prepared ones. Ray would join stages that ask for the same.
READING_BYTES = 512 << 20
#: Size of the object store of a cluster on this machine alone.
OBJECT_STORE_BYTES = 512 << 20
#: Seconds without a finished part after which the run ends: opening a large model from a slow disk takes minutes.
NO_PROGRESS_S = 1800
#: The line of a message that says what went wrong in our code, or in what it called.
_ERROR = re.compile(r"(?!ray\.)[\w.]*(?:Error|Exception|Package)\b: ")
Rows = dict[str, Any]


class RayEncoder:
    """Encodes pictures of files on a Ray cluster: that which RAY_ADDRESS names, else one on this machine alone.

    identity: of the encoder. open: opens it, in each actor. folder: of the index, whose contents are not computed
    again. actors: how many compute; None for one per graphics card, or one per machine without any.
    Raises MissingPackage without Ray.
    """

    def __init__(
        self, identity: Identity, open: Callable[[], Encoder], folder: Path, actors: int | None = None
    ) -> None:
        if find_spec("ray") is None:
            raise MissingPackage("ray must be there for this engine; install it with: pip install 'clip-grid[ray]'")
        if actors is not None and actors < 1:
            raise InputError(f"the number of workers is {actors}; it must be at least 1")
        self.identity = identity
        self._open, self._folder, self._actors = open, folder, actors

    @property
    def space(self) -> str:
        """See ``Identity``."""
        return self.identity.space

    @property
    def dim(self) -> int:
        """See ``Identity``."""
        return self.identity.dim

    def stream_images(
        self,
        pictures: Iterable[Path],
        *,
        batch_size: int | None = None,
        observe: Observe | None = None,
        is_known: Callable[[str], bool] | None = None,
    ) -> Generator[Outcome, None, None]:
        """Each picture as an ``Ok`` or a ``FailedPicture``, as soon as it is done, in any order.

        As ``Encoder.stream_images``, but that the list of all pictures is taken at once.
        Raises InputError for a cluster whose machines do not all see the files, ClipGridError where it cannot go on.
        """
        preprocessing = self.identity.preprocessing
        if preprocessing is None:
            raise InputError(f"{self.identity.name} has no preprocessing for its pictures")
        paths = [os.fsencode(path) for path in pictures]
        if not paths:
            return
        items = [{"index": index, "path": path} for index, path in enumerate(paths)]
        with _running_ray() as ray:
            _check_shared(paths[0])
            # an array is shared by all processes of a machine
            known = ray.put(np.array(_known_hashes(self._folder) if is_known else [], np.bytes_))
            whole = self.identity.keeps_shape
            per_task = WHOLE_AT_ONCE if whole else READ_AT_ONCE
            read = _ReadPictures(preprocessing, observe, known, whole)
            blocks = max(1, -(-len(items) // per_task))
            rows = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
                read.__call__, batch_format="numpy", num_cpus=1, memory=READING_BYTES
            )
            rows = rows.map_batches(
                _ComputePictures,
                fn_constructor_args=(self._open, preprocessing if whole else _as_prepared(preprocessing), batch_size),
                batch_format="numpy",
                **self._pool(ray),
            )
            yield from _outcomes(rows)

    def _pool(self, ray: Any) -> dict[str, Any]:
        """How many actors compute, and what each needs."""
        resources = ray.cluster_resources()
        machines = [node for node in ray.nodes() if node["Alive"]]
        cards = int(resources.get("GPU", 0))
        actors = self._actors or cards or len(machines)
        if cards:
            needs = {"num_gpus": 1 if actors <= cards else cards / actors}
        else:
            # half of all cores, so that the others can read; Ray takes whole numbers, or a part of one core
            share = resources.get("CPU", 1) / 2 / actors
            needs = {"num_cpus": int(share) if share >= 1 else round(share, 2)}
        return {"compute": ray.data.ActorPoolStrategy(size=actors), **needs}


class _Preparing:
    """The part of a vision encoder that a task needs, without its weights."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole

    def prepare(self, picture: Image.Image | Tensor, preprocessing: Preprocessing) -> Tensor:
        """uint8 [S, S, 3]; of a model that takes any shape, all pixels uint8 [H, W, C]."""
        import torch

        if self._whole and not isinstance(picture, torch.Tensor):
            return torch.from_numpy(np.array(picture))
        return prepare(picture, preprocessing)


class _ReadPictures:
    """A task: files to prepared pixels."""

    def __init__(self, preprocessing: Preprocessing, observe: Observe | None, known: Any, whole: bool) -> None:
        self._preprocessing, self._observe, self._known, self._whole = preprocessing, observe, known, whole

    def __call__(self, batch: Rows) -> Rows:
        import ray

        known: NDArray[np.bytes_] = ray.get(self._known)
        cache = EmbeddingCache()
        reader = PictureReader(
            vision=_Preparing(self._whole), preprocessing=self._preprocessing, cache=cache,
            computed=ComputedRows(cache, "", ("embeds",), 1), with_statistics=False, observe=self._observe,
            is_known=partial(_is_among, known),
        )  # fmt: skip
        size = self._preprocessing.size
        draft = (size, size) if self._preprocessing.resampling == "fast" else None
        rows = []
        for index, path in zip(batch["index"].tolist(), batch["path"].tolist(), strict=True):
            name = os.fsdecode(path)
            rows.append(_row(reader((index, NamedPicture(name, Path(name), draft)))))
        return _columns(rows)


class _ComputePictures:
    """An actor: prepared pixels to outcomes."""

    def __init__(self, open: Callable[[], Encoder], preprocessing: Preprocessing, batch_size: int | None) -> None:
        self._encoder, self._preprocessing, self._batch_size = open(), preprocessing, batch_size

    def __call__(self, batch: Rows) -> Rows:
        outcomes = batch["outcome"].tolist()
        waiting = [place for place, shape in enumerate(batch["shape"].tolist()) if shape]
        arrays = [
            np.frombuffer(batch["pixels"][place], np.uint8).reshape([int(n) for n in batch["shape"][place].split("x")])
            for place in waiting
        ]
        for place, computed in zip(waiting, self._computed(arrays), strict=True):
            outcomes[place] = _merged(outcomes[place], computed)
        return {"outcome": _objects(outcomes)}

    def _computed(self, arrays: Sequence[np.ndarray[Any, Any]]) -> Iterator[Outcome]:
        try:
            # a frozen array may not be written to, and is not
            yield from list(
                self._encoder.stream_images(
                    [array.copy() for array in arrays], batch_size=self._batch_size, preprocessing=self._preprocessing
                )
            )
        except ClipGridError as error:
            yield from (FailedPicture(place, "", "encode", str(error)) for place in range(len(arrays)))


def _row(read: ReadPicture) -> Rows:
    """What a task hands on of a picture: its outcome so far, and pixels if there is something to compute."""
    outcome: Outcome = (
        FailedPicture(read.index, read.name, "read", read.reason)
        if read.reason
        else Ok(
            read.index, read.name, read.key, observed=read.observed, status=read.status,
            profile_problem=read.profile_problem,
        )
    )  # fmt: skip
    pixels = None if read.pixels is None or read.is_known else read.pixels.numpy()
    return {
        "outcome": outcome,
        "pixels": b"" if pixels is None else pixels.tobytes(),
        "shape": "" if pixels is None else "x".join(map(str, pixels.shape)),
    }


def _columns(rows: Sequence[Rows]) -> Rows:
    return {name: _objects([row[name] for row in rows]) for name in ("outcome", "pixels", "shape")}


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    """One value to an item, whatever it is."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _merged(read: Ok, computed: Outcome) -> Outcome:
    """The outcome of a picture that was read in one place and computed in another."""
    if isinstance(computed, FailedPicture):
        return replace(computed, index=read.index, name=read.name)
    return replace(read, rows=computed.rows)


def _as_prepared(preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing that leaves prepared pictures as they are."""
    return replace(preprocessing, fit="squash", short_side=None)


def _outcomes(rows: Any) -> Iterator[Outcome]:
    """The outcomes of all rows as blocks are done; raises ClipGridError where the cluster gives up."""
    from ray.data.exceptions import ExecutionTimeoutError, SystemException
    from ray.exceptions import RayError

    try:
        for batch in rows.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            yield from batch["outcome"].tolist()
    except (RayError, ExecutionTimeoutError, SystemException) as error:
        raise ClipGridError(f"Ray gave up ({_reason(error)}); what was finished is in the index") from error


def _reason(error: Exception) -> str:
    """What went wrong, of a message with the lines of code that it went through and with advice for programmers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    own = [line for line in lines if _ERROR.match(line)]
    return (own or lines or [type(error).__name__])[-1][:500]


def _known_hashes(folder: Path) -> list[str]:
    with closing(KnownHashes(folder)) as known:
        return known.all()


def _is_among(sorted_hashes: NDArray[np.bytes_], hash: str) -> bool:
    key = hash.encode()
    if len(key) > sorted_hashes.itemsize:
        # numpy would make a wider copy of all of them
        return False
    place = int(np.searchsorted(sorted_hashes, key))
    return place < len(sorted_hashes) and bool(sorted_hashes[place] == key)


@contextmanager
def _running_ray() -> Iterator[Any]:
    """A block in which a cluster is there; one that was started for it is ended after it."""
    # it would otherwise report to its makers
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    is_elsewhere = bool(os.environ.get("RAY_ADDRESS"))
    if not is_elsewhere:
        # no cluster of several machines: it then listens on this one alone; read when ray is imported
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    # what it logs is for its programmers; errors are raised all the same
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data

    is_own = not ray.is_initialized()
    if is_own:
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.ERROR)
    if is_own and is_elsewhere:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    elif is_own:
        ray.init(
            address="local", num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False,
            logging_level=logging.ERROR, object_store_memory=OBJECT_STORE_BYTES,
        )  # fmt: skip
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    if context.execution_no_progress_timeout_s <= 0:
        context.execution_no_progress_timeout_s = NO_PROGRESS_S
    try:
        yield ray
    finally:
        if is_own:
            ray.shutdown()


def _is_there(path: bytes) -> bool:
    return os.path.exists(path)


def _check_shared(path: bytes) -> None:
    """Raises InputError if a machine of the cluster does not see a file that this one sees."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    machines = [node for node in ray.nodes() if node["Alive"]]
    if len(machines) < 2 or not _is_there(path):
        return
    look = ray.remote(_is_there)
    answers = ray.get(
        [
            look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(path)
            for node in machines
        ]
    )
    blind = [node["NodeManagerAddress"] for node, sees in zip(machines, answers, strict=True) if not sees]
    if blind:
        raise InputError(
            f"{os.fsdecode(path)} is not there on {', '.join(blind)}; put the pictures where all machines of the "
            "cluster see them under the same path"
        )
