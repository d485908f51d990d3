"""An index brought up to date with its folders: what changed is read and computed, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...imaging import PICTURE_SUFFIXES, Progress
from ...plurals import counted
from ..encoding.image_features import FailedPicture
from ..encoding.outcomes import Ok, Outcome
from .database import LEFT_OUT, KnownHashes, path_text
from .status import Failure
from .tree import Changes, FoundFile, find_changes
from .writer import Description, IndexWriter, KeptFile

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from ..encoding.features import Identity
    from ..encoding.outcomes import IsKnown, Observe
    from ..preparing.pictures import FileContent, NamedPicture

#: Called with a picture, its file if it was small enough to be read at once, and its pixels.
Describe = Callable[["NamedPicture", "FileContent | None", "Image.Image | Tensor"], Description]
#: A batch is kept once it has so many files, or after so many seconds: what a kill costs at most.
KEPT_AT_ONCE, KEPT_EVERY_S = 256, 5.0
_SUFFIXES = frozenset(suffix.encode() for suffix in PICTURE_SUFFIXES)


class PictureEncoder(Protocol):
    """What an update needs of an ``Encoder``; outcomes may come in any order."""

    @property
    def identity(self) -> Identity:
        """Its name, in messages."""

    @property
    def space(self) -> str:
        """The embedding space."""

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""

    def stream_images(
        self,
        pictures: Iterable[Path],
        *,
        batch_size: int | None = None,
        observe: Observe | None = None,
        is_known: IsKnown | None = None,
    ) -> Generator[Outcome, None, None]:
        """See ``Encoder.stream_images``."""


@dataclass(frozen=True)
class IndexUpdate:
    """What an update did."""

    #: Files that were looked at, and of these that did not change since the last time.
    found: int = 0
    unchanged: int = 0
    #: New contents, and files whose content was known already.
    computed: int = 0
    known: int = 0
    #: Files that were renamed or moved, that are gone, and that are there again.
    moved: int = 0
    gone: int = 0
    back: int = 0
    #: Files that were left out on purpose now, such as our own sheets.
    left_out: int = 0
    #: Files and folders that could not be used now; those of earlier updates are in the index.
    failed: tuple[Failure, ...] = ()
    #: Roots that could not be listed, whose pictures stay as they are.
    away: tuple[str, ...] = ()
    seconds: float = 0.0

    def summary(self) -> str:
        """What it did, in a line."""
        counts = {
            "unchanged": self.unchanged, "new": self.computed, "of a known content": self.known, "moved": self.moved,
            "own sheets": self.left_out, "failed": len(self.failed),
        }  # fmt: skip
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        back = f"; {self.back} {'is' if self.back == 1 else 'are'} there again" if self.back else ""
        gone = f"; {self.gone} {'is' if self.gone == 1 else 'are'} gone" if self.gone else ""
        done = ", ".join(parts) or "nothing to do"
        return f"{counted(self.found, 'picture')} in {self.seconds:.1f} s: {done}{back}{gone}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass
class _Totals:
    computed: int = 0
    known: int = 0
    left_out: int = 0
    failed: list[Failure] = field(default_factory=list)


def update_index(
    writer: IndexWriter,
    folders: Sequence[Path],
    model: Callable[[], tuple[PictureEncoder, str]],
    describe: Describe,
    *,
    batch_size: int | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
    wait: Callable[[], None] = lambda: None,
) -> IndexUpdate:
    """Brings the index up to date with these folders, or with all its roots if none are given.

    model: opens the encoder, and gives it and the file that it comes from; called once there is a file to read.
    describe: gives what is known of a picture beside its embedding; called in a thread. retry_failed: also read files
    again that could not be used last time. progress: called with (done, files to read). wait: called before each
    picture is taken up, to pause; what it raises ends the update, whose finished batches are kept.
    Raises InputError for what is no folder, and for a model of another embedding space than that of the index.
    """
    began = time.monotonic()
    places = [writer.root_of(folder) for folder in folders] or [(root, b"") for root in _roots(writer)]
    changes: list[tuple[int, Changes]] = []
    for root, below in dict.fromkeys(places):
        found = find_changes(writer.connection, root, is_picture_name, below=below, retry_failed=retry_failed)
        writer.keep_changes(root, found)
        changes.append((root, found))
    totals = _Totals(failed=[Failure(path_text(path), "list", why) for _, of in changes for path, why in of.unreadable])
    to_read = [(root, found) for root, of in changes for found in of.to_read]
    if to_read:
        encoder, source = model()
        writer.bind(encoder.space, encoder.dim, encoder.identity.name, source)
        _read(writer, to_read, encoder, describe, totals, batch_size=batch_size, progress=progress, wait=wait)
    return IndexUpdate(
        found=sum(of.unchanged + len(of.to_read) + len(of.moved) + len(of.linked) for _, of in changes),
        unchanged=sum(of.unchanged for _, of in changes),
        computed=totals.computed,
        known=totals.known + sum(len(of.linked) for _, of in changes),
        moved=sum(len(of.moved) for _, of in changes),
        gone=sum(len(of.gone) for _, of in changes),
        back=sum(len(of.back) for _, of in changes),
        left_out=totals.left_out,
        failed=tuple(totals.failed),
        away=tuple(path_text(_root_path(writer, root)) for root, of in changes if not of.device),
        seconds=time.monotonic() - began,
    )


def is_picture_name(name: bytes) -> bool:
    """Whether a file of this name is taken for a picture."""
    return b"." + name.rpartition(b".")[2].lower() in _SUFFIXES


def _roots(writer: IndexWriter) -> list[int]:
    return [id for (id,) in writer.connection.execute("SELECT id FROM roots ORDER BY id")]


def _root_path(writer: IndexWriter, root: int) -> bytes:
    ((path,),) = writer.connection.execute("SELECT path FROM roots WHERE id = ?", (root,))
    found: bytes = path
    return found


def _read(
    writer: IndexWriter,
    to_read: Sequence[tuple[int, FoundFile]],
    encoder: PictureEncoder,
    describe: Describe,
    totals: _Totals,
    *,
    batch_size: int | None,
    progress: Progress | None,
    wait: Callable[[], None],
) -> None:
    """Reads and computes the files, and keeps them in batches; what is finished is kept also after an error."""
    paths = {root: _root_path(writer, root) for root, _ in to_read}
    waiting: list[KeptFile] = []
    kept_at = time.monotonic()

    def keep() -> None:
        nonlocal kept_at
        new = writer.keep(waiting)
        totals.computed += new
        totals.known -= new
        _count(waiting, paths, totals)
        waiting.clear()
        kept_at = time.monotonic()

    try:
        for done, one in enumerate(_files_read(writer, to_read, paths, encoder, describe, batch_size, wait), 1):
            waiting.append(one)
            if len(waiting) >= KEPT_AT_ONCE or time.monotonic() - kept_at > KEPT_EVERY_S:
                keep()
            if progress:
                progress(done, len(to_read))
    finally:
        if waiting:
            keep()


def _files_read(
    writer: IndexWriter,
    to_read: Sequence[tuple[int, FoundFile]],
    paths: dict[int, bytes],
    encoder: PictureEncoder,
    describe: Describe,
    batch_size: int | None,
    wait: Callable[[], None],
) -> Iterator[KeptFile]:
    """Every file after it was read: first those whose state alone tells that they cannot be."""
    readable: list[tuple[int, FoundFile]] = []
    for root, found in to_read:
        if found.reason:
            yield KeptFile(root, found, stage="list", reason=found.reason)
        else:
            readable.append((root, found))
    if not readable:
        return
    files = (_waited(Path(path_text(paths[root], found.folder, found.name)), wait) for root, found in readable)
    with closing(KnownHashes(writer.folder)) as known:
        stream = encoder.stream_images(files, batch_size=batch_size, observe=describe, is_known=known.has)
        with closing(stream) as outcomes:
            for outcome in outcomes:
                root, found = readable[outcome.index]
                yield _kept(root, found, outcome)


def _waited(path: Path, wait: Callable[[], None]) -> Path:
    wait()
    return path


def _kept(root: int, found: FoundFile, outcome: Outcome) -> KeptFile:
    if isinstance(outcome, FailedPicture):
        return KeptFile(root, found, stage=outcome.stage, reason=outcome.reason)
    found = _as_read(found, outcome)
    shown = outcome.observed or Description()
    if shown.left_out:
        return KeptFile(root, found, stage=LEFT_OUT, reason=shown.left_out)
    return KeptFile(root, found, outcome.key, outcome.embedding, shown)


def _as_read(found: FoundFile, outcome: Ok) -> FoundFile:
    """The file as it was listed; one that was written to since then is read again at the next update."""
    status = outcome.status
    if status is not None and (status.st_size, status.st_mtime_ns) == (found.size, found.mtime_ns):
        return found
    return replace(found, is_settled=False)


def _count(files: Iterable[KeptFile], paths: dict[int, bytes], totals: _Totals) -> None:
    for one in files:
        if one.stage == LEFT_OUT:
            totals.left_out += 1
        elif one.reason:
            path = path_text(paths[one.root], one.found.folder, one.found.name)
            totals.failed.append(Failure(path, one.stage, one.reason))
        else:
            # those of a new content are taken off
            totals.known += 1
