"""What the browser's search tab asks of the index of ComfyUI's pictures."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ...api.search import IN_ORDER, text_parts
from ...api.sheets import export_grid
from ...clip_backend.search.index import Index, IndexedPicture
from ...clip_backend.search.query import Hit, Part, Query
from ...clip_backend.search.search import search
from ...clip_backend.search.status import index_failures, index_status
from ...clip_backend.search.thumbnails import SIDE, make_thumbnail, thumbnail_file, write_thumbnail
from ...errors import ClipGridError, InputError, PictureError
from ...grid.pictures.metadata import read_picture
from ...grid.write.files import beside
from ...imaging import content_hash, load_picture, open_picture
from ..host.host import Host
from .files import Files
from .indexing import Indexing
from .models import demo_note, has_index, query_encoder
from .requests import AskedPart, Newest, SearchRequest

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder

#: Dropped pictures that are kept for queries, and failures that are listed.
MAX_DROPPED, MAX_FAILURES = 32, 20
#: Where sheets of hits are saved, below the output folder.
SHEET_PREFIX = "clip_grid/search"
#: Texts of a picture from which ComfyUI makes a graph.
_GRAPHS = ("workflow", "prompt", "parameters")


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, and what changes with it."""

    data: bytes
    version: str


class SearchService:
    """The index of one host: opened when it is first asked, searched from any thread."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.indexing = Indexing(host)
        self.newest = Newest()
        self._lock = Lock()
        self._index: Index | None = None
        self._encoder: tuple[str, Encoder] | None = None
        self._dropped: dict[str, Part] = {}

    # --- the index

    def status(self) -> dict[str, Any]:
        """What the index holds and how far an update is, as JSON values without paths."""
        shown: dict[str, Any] = {"indexing": self.indexing.now.to_dict(), "pictures": 0, "has_index": False}
        if has_index(self.host):
            held = index_status(self.host.index_folder, measured=False)
            shown |= {name: getattr(held, name) for name in ("pictures", "files", "missing", "failed", "model")}
            shown |= {"has_index": True, "note": demo_note(held.source), "failures": self._failures(held.failed)}
        return shown

    def _failures(self, count: int) -> list[dict[str, str]]:
        if not count:
            return []
        failures = index_failures(self.host.index_folder, MAX_FAILURES)
        return [{**one.to_dict(), "path": Path(one.path).name} for one in failures]

    def _opened(self) -> Index:
        with self._lock:
            if not has_index(self.host):
                # it was removed, or there never was one
                self._index = None
                raise InputError("there is no index of your pictures yet; press Index pictures")
            if self._index is None:
                self._index = Index.open(self.host.index_folder)
            return self._index

    # --- search

    def search(self, request: SearchRequest) -> dict[str, Any]:
        """The hits as JSON values; raises InputError for a filter, picture or model that cannot be used."""
        index = self._opened()
        parts = [part for asked in request.parts for part in self._parts(index, asked)]
        query = Query(
            parts=parts, keywords=request.keywords, where=request.where, top=request.offset + request.top,
            exclude=[one.id for one in request.parts if one.id],
        )  # fmt: skip
        found = search(index, query)
        files = Files(self.host.folders)
        shown = [_hit(hit, files.viewable(hit.picture)) for hit in found.hits[request.offset :]]
        return {
            "hits": [hit for hit in shown if hit["file"]],
            "total": found.total,
            "passed": found.passed,
            "next": request.offset + len(shown) if len(shown) == request.top else None,
            "model": found.model,
        }

    def _parts(self, index: Index, asked: AskedPart) -> Sequence[Part]:
        if asked.text:
            return text_parts(self._encoder_of(index, reads_texts=True), [(asked.text.strip(), asked.weight)])
        if asked.picture:
            part = self._dropped.get(asked.picture)
            if part is None:
                raise InputError("the picture that you dropped is forgotten; drop it again")
            return [replace(part, weight=asked.weight)]
        state = index.state()
        rows = state.rows_of(np.array([asked.id], np.int64))
        if not len(rows):
            raise InputError("this picture is not in the index any more; search again")
        return [Part(kind="picture", name=str(asked.id), vector=state.vectors[rows[0]], weight=asked.weight)]

    def _encoder_of(self, index: Index, *, reads_texts: bool) -> Encoder:
        """The encoder of the index's space, which is loaded once."""
        state = index.state()
        with self._lock:
            if self._encoder is None or self._encoder[0] != state.space:
                encoder = query_encoder(self.host, reads_texts=reads_texts)
                if encoder.space != state.space:
                    raise InputError(
                        f"the index holds embeddings of {state.model}, and {encoder.identity.name} has another "
                        "embedding space; put that model back into its folder, or link it to Search Images"
                    )
                self._encoder = state.space, encoder
            return self._encoder[1]

    def drop(self, data: bytes, name: str) -> dict[str, Any]:
        """The name under which queries may use a picture, which is kept in memory alone.

        Raises InputError without an index, and PictureError for what cannot be read.
        """
        index = self._opened()
        shown = name[:200] or "picture"
        try:
            image = load_picture(Path(shown), data=data)
        except PictureError as error:
            raise InputError(f"{shown} cannot be used: {error.reason}") from error
        features = self._encoder_of(index, reads_texts=False).encode_images([image]).to_features()
        token = secrets.token_urlsafe(12)
        with self._lock:
            vector = features.vectors[0]
            self._dropped[token] = Part(kind="picture", name=shown, vector=vector, hash=content_hash(data))
            while len(self._dropped) > MAX_DROPPED:
                del self._dropped[next(iter(self._dropped))]
        return {"picture": token, "name": shown}

    # --- one picture

    def picture(self, id: int) -> dict[str, Any]:
        """What is known of a picture, as JSON values; raises KeyError for an id that the index does not have."""
        index = self._opened()
        picture = index.pictures([id])[id]
        files = Files(self.host.folders).viewable(picture)
        return {
            "id": id,
            "width": picture.width,
            "height": picture.height,
            "files": files,
            "properties": index.properties(id),
            "has_graph": self._has_graph(picture),
        }

    def sheet(self, ids: Sequence[int]) -> dict[str, Any]:
        """A new sheet of these pictures in the output folder, as a sheet node shows it.

        Raises InputError if none of them is there, and what ``export_grid`` raises.
        """
        pictures = self._opened().pictures(ids)
        files = Files(self.host.folders)
        paths = [path for id in ids if id in pictures for path in files.allowed(pictures[id])[:1]]
        if not paths:
            raise InputError("none of these pictures is there any more; search again")
        place = self.host.save_path(SHEET_PREFIX, 0, 0)
        out = place.folder / f"{place.stem}_{place.counter:05}_.png"
        report = export_grid(paths, out, progress=None, sidecar=True, template=IN_ORDER)
        written = [Path(page.path) for page in report.pages]
        entries = [{"filename": one.name, "subfolder": place.subfolder, "type": "output"} for one in written]
        beside_it = [{**entries[0], "filename": one.name} for one in beside(written[0]) if one.exists()]
        return {"images": entries, "clip_grid_files": [*entries, *beside_it], "clip_grid": [report.to_dict()]}

    def thumbnail(self, id: int) -> Thumbnail:
        """The small picture of an id; one that is missing is made again.

        Raises KeyError for an id that the index does not have, PictureError if no file of it can be read.
        """
        picture = self._opened().pictures([id])[id]
        files = Files(self.host.folders).allowed(picture)
        if not files:
            raise KeyError(id)
        with suppress(FileNotFoundError):
            return Thumbnail(thumbnail_file(self.host.index_folder, picture.hash).read_bytes(), _version(picture))
        data = make_thumbnail(load_picture(files[0], (SIDE, SIDE)))
        write_thumbnail(self.host.index_folder, picture.hash, data)
        return Thumbnail(data, _version(picture))

    def _has_graph(self, picture: IndexedPicture) -> bool:
        """Whether ComfyUI can make a graph of the first file."""
        for path in Files(self.host.folders).allowed(picture)[:1]:
            with suppress(ClipGridError), open_picture(path) as image:
                texts, _ = read_picture(image, path.name)
                return any(texts.get(name) for name in _GRAPHS)
        return False


def _hit(hit: Hit, files: Sequence[dict[str, str]]) -> dict[str, Any]:
    """A hit as JSON values; files: those of it that a browser may have."""
    picture = hit.picture
    return {
        "id": picture.id,
        "width": picture.width,
        "height": picture.height,
        "thumbnail": f"/clip_grid/thumbnail/{picture.id}?v={_version(picture)}",
        "file": files[0] if files else None,
        "copies": len(files),
        "percentile": hit.percentile,
        "score": hit.score,
        "is_weak": hit.is_weak,
        "by_keywords": hit.keyword_rank is not None,
        "group": hit.group,
    }


def _version(picture: IndexedPicture) -> str:
    """Changes with the content, as ids may be given again when an index is made anew."""
    return picture.hash[-16:]


_service: SearchService | None = None
_making = Lock()


def search_service(host: Host) -> SearchService:
    """The service of a host, the same each time."""
    global _service
    with _making:
        if _service is None or _service.host is not host:
            _service = SearchService(host)
        return _service
