"""An index of pictures by one call: made, brought up to date, looked into, exported and taken in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from PIL import Image

from ..clip_backend.encoding.cache import platform_folder
from ..clip_backend.finding.folders import detect_comfyui_installation
from ..clip_backend.search.database import open_for_reading
from ..clip_backend.search.exchange import export_index as write_export
from ..clip_backend.search.exchange import import_index as take_pictures
from ..clip_backend.search.exchange import read_exported
from ..clip_backend.search.purge import purge
from ..clip_backend.search.status import Failure, IndexStatus, index_failures, index_status
from ..clip_backend.search.stores.mirror import MirrorUpdate, mirror
from ..clip_backend.search.stores.qdrant import KEY_VARIABLE, QdrantStore
from ..clip_backend.search.thumbnails import make_thumbnail
from ..clip_backend.search.update import IndexUpdate, PictureEncoder, update_index
from ..clip_backend.search.writer import Description, IndexWriter
from ..errors import InputError
from ..grid.pictures.find import readable
from ..grid.pictures.metadata import read_picture
from ..grid.pictures.own import record_in
from ..imaging import Progress, open_picture, upright_size
from ..log import logger
from ..options import option, read_options
from .models import Model, ModelChoice, index_model
from .pictures import StrPath

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Unpack

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.preparing.pictures import FileContent, NamedPicture
    from .options import IndexKeywords

#: The environment variable with the folder of the index that is used when none is named.
VARIABLE = "CLIP_GRID_INDEX"
#: Where pictures are read and computed.
Engine = Literal["local", "ray"]


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """How pictures are added to an index."""

    retry_failed: bool = option(False, "Also read files again that could not be used last time")
    batch_size: int = option(
        0, "Pictures computed at once; 0 takes as many as memory allows", low=0, high=1024, advanced=True
    )


def default_index_folder(environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path:
    """The folder of the index when none is named, which need not exist.

    It is the one in CLIP_GRID_INDEX, else clip-grid/index in the platform's folder for data of programs.
    """
    if named := environment.get(VARIABLE, "").strip():
        return Path(os.path.expanduser(named)).absolute()
    return platform_folder("data", environment, platform=platform) / "index"


def index_images(
    folders: StrPath | Sequence[StrPath] = (),
    *,
    index: StrPath | None = None,
    model: Model = None,
    engine: Engine = "local",
    workers: int | None = None,
    progress: Progress | None = None,
    wait: Callable[[], None] | None = None,
    **options: Unpack[IndexKeywords],
) -> IndexUpdate:
    """Brings an index up to date with folders and all folders below them; a new one is made for them.

    folders: none for those that are in the index already, or, for a new index, ComfyUI's output and input folder.
    index: its folder; None for the default. model: opened only if there is a picture to read; None for the one that
    the index was made with. engine: "ray" reads and computes on the cluster that RAY_ADDRESS names, or on a new one on
    this machine. workers: how many processes compute there; None for one per graphics card, or one per machine without
    any. progress: called with (done, pictures to read). wait: of the local engine; called before each picture is taken
    up, to pause; what it raises ends the run, and so does what ``progress`` raises; finished batches are kept.
    options: fields of IndexOptions.
    Files that cannot be used are in ``failed`` and cost themselves alone.
    Raises InputError for what is no folder, for a model of another embedding space, and what loading a model raises;
    OutputError while another process writes the index, and for a folder that cannot be written; MissingPackage for an
    engine that is not installed.
    """
    if engine not in get_args(Engine):
        raise InputError(f"engine is {engine!r}; it must be one of {', '.join(get_args(Engine))}")
    if workers is not None and engine == "local":
        raise InputError("workers are for engine='ray'; the local engine computes in this process")
    if wait is not None and engine == "ray":
        raise InputError("wait pauses the local engine alone; with engine='ray', stop the run and start it again later")
    how = read_options(IndexOptions, options)
    given = [folders] if isinstance(folders, (str, os.PathLike)) else list(folders)
    with IndexWriter(index_folder(index)) as writer:
        wanted = [Path(os.path.expanduser(folder)) for folder in given]
        if not wanted and not writer.has_roots():
            wanted = _folders_of_comfyui()

        def opened() -> tuple[PictureEncoder, str]:
            encoder, choice = _opened(model, writer.settings().get("source", ""))
            if engine == "ray":
                # it needs torch, which help does without
                from ..clip_backend.search.on_ray import RayEncoder

                return RayEncoder(encoder.identity, choice.loading(), writer.folder, workers), choice.source
            return encoder, choice.source

        return update_index(
            writer, wanted, opened, describe,
            batch_size=how.batch_size or None, retry_failed=how.retry_failed, progress=progress,
            wait=wait or (lambda: None),
        )  # fmt: skip


def describe(picture: NamedPicture, content: FileContent | None, image: Image.Image | Tensor) -> Description:
    """Size, generation data and thumbnail of a picture; its file is not opened again if it is in memory."""
    if picture.path is None or not isinstance(image, Image.Image):
        return Description()
    with open_picture(picture.path, data=content.data if content else None) as opened:
        texts, generation = read_picture(opened, picture.path.name)
        if record_in(texts):
            return Description(left_out="a sheet that this program made")
        width, height = upright_size(opened)
    properties = {name: readable(text) for name, text in generation.values.items()}
    return Description(width, height, properties, make_thumbnail(image))


def status_of_index(index: StrPath | None = None) -> IndexStatus:
    """What an index holds; raises InputError where there is none."""
    return index_status(index_folder(index))


def failures_of_index(index: StrPath | None = None) -> Sequence[Failure]:
    """The files that could not be used, with stage and reason; raises InputError where there is no index."""
    return index_failures(index_folder(index))


def purge_index(index: StrPath | None = None, *, older_than_days: float = 0.0) -> int:
    """Forgets files that have been missing for longer, and pictures without files; returns how many files.

    Raises InputError for a negative number of days, OutputError while another process writes the index.
    """
    if not older_than_days >= 0:
        raise InputError(f"older_than_days is {older_than_days:g}; it must be at least 0")
    with IndexWriter(_existing(index)) as writer:
        return purge(writer, older_than_s=older_than_days * 86_400)


def export_index(file: StrPath, index: StrPath | None = None) -> int:
    """Writes the pictures of an index, without paths, to a safetensors file; returns how many.

    Raises InputError for an index without pictures, OutputError if the file cannot be written.
    """
    return write_export(index_folder(index), Path(os.path.expanduser(file)))


def import_index(file: StrPath, index: StrPath | None = None) -> int:
    """Takes the pictures of an exported file, so that indexing them costs no computing; returns how many were new.

    Raises InputError for another kind of file, and for vectors of another embedding space than that of the index.
    """
    # before a new index is made, which would stay behind empty
    exported = read_exported(Path(os.path.expanduser(file)))
    with IndexWriter(index_folder(index)) as writer:
        return take_pictures(writer, exported)


def open_store(url: str) -> QdrantStore:
    """The collection of a Qdrant server, which takes the key that CLIP_GRID_STORE_KEY holds.

    url: as in http://127.0.0.1:6333, or http://127.0.0.1:6333/COLLECTION. Raises InputError for what is no such URL and
    for a server that cannot be reached, and MissingPackage without qdrant-client.
    """
    store = QdrantStore(url, key=os.environ.get(KEY_VARIABLE, "").strip() or None)
    try:
        store.reach()
    except BaseException:
        store.close()
        raise
    return store


def copy_index(store: QdrantStore, index: StrPath | None = None, *, progress: Progress | None = None) -> MirrorUpdate:
    """Copies an index to a store, or brings the copy up to date; progress: called with (done, pictures).

    Raises InputError without an index and for a collection of something else; OutputError if the store takes nothing
    more, after which the next call continues.
    """
    with IndexWriter(_existing(index)) as writer:
        return mirror(writer, store, progress)


def index_folder(index: StrPath | None) -> Path:
    """The folder of the index that a caller means."""
    return default_index_folder() if index is None else Path(os.path.expanduser(index))


def _existing(index: StrPath | None) -> Path:
    folder = index_folder(index)
    # raises where there is none
    open_for_reading(folder).close()
    return folder


def _opened(model: Model, source: str) -> tuple[Encoder, ModelChoice]:
    """The encoder that is meant, else that of the index, and how it was chosen."""
    choice = index_model(model, source)
    encoder = choice()
    for note in choice.notes:
        logger.info("%s", note)
    return encoder, choice


def _folders_of_comfyui() -> list[Path]:
    """Output and input folder of the ComfyUI on this machine; raises InputError without one."""
    found = detect_comfyui_installation()
    folders = [found / name for name in ("output", "input")] if found else []
    if there := [folder for folder in folders if folder.is_dir()]:
        return there
    raise InputError("no folder was given, and no ComfyUI was found; give the folders that hold your pictures")
