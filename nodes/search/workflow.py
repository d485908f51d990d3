"""The nodes of the index: pictures indexed within a workflow, and hits as images of their own sizes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...api.index import IndexOptions, index_images
from ...api.search import SearchOptions, search, weighted, why_nothing
from ...atomic import atomic_file
from ...clip_backend.search.query import Hit, Hits
from ...clip_backend.search.status import index_status
from ...clip_backend.search.thumbnails import make_thumbnail
from ...errors import InputError, PictureError
from ...grid.arrange.numbers import format_number
from ...grid.bands import map_in_order
from ...imaging import flattened, load_picture
from ...options import option
from ...plurals import counted
from ..host.host import Host
from ..models.loaded import LoadedModel, check_loaded
from ..scores.results import json_text, node_result
from ..sockets.inputs import Inputs, Values, directory_lines, first_value, read_widgets
from ..sockets.tensors import page_floats, picture_arrays
from .files import Files
from .models import demo_note, has_index, workflow_choice
from .service import search_service

STOP, BLOCK = "stop", "block"
#: Pixels of all hits together that the images output may have: 3 GB as float32.
PIXEL_BUDGET = 256_000_000
#: Hits that the node itself shows as small pictures.
MOST_SHOWN = 48


@dataclass(frozen=True, kw_only=True)
class EmptyOptions:
    """The option of the node that searching itself does not have."""

    when_empty: str = option(
        STOP, "If nothing is found: stop is an error that says why, block runs nothing that follows",
        choices=(STOP, BLOCK),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Row:
    """A hit whose picture was read."""

    hit: Hit
    path: Path
    #: float32 [1, H, W, 3] in 0..1.
    image: NDArray[np.float32]
    #: A small picture in WebP.
    thumbnail: bytes


def update_the_index(inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the index node returns.

    Raises InputError for folders outside the allowed ones, and for a model of another embedding space than that of the
    index; OutputError while another program writes the index.
    """
    options = read_widgets(IndexOptions, inputs)
    lines = directory_lines(inputs.get("directories") or ())
    folders = [folder for line in lines for folder in host.folders.find_directories(line)]
    folders = folders or [folder for folder in (host.folders.output, host.folders.input) if folder.is_dir()]
    if not folders:
        raise InputError("the output and the input folder are not there; give directories that are")
    model = workflow_choice(host, _linked(inputs))
    bar = host.progress()
    with search_service(host).indexing.held(host.check_interrupt) as show:

        def progress(done: int, total: int) -> None:
            show(done, total)
            bar(done, total)

        done = index_images(folders, index=host.index_folder, model=model, progress=progress, **vars(options))
    held = index_status(host.index_folder, measured=False)
    shown = host.folders.shown_path
    report = {
        **done.to_dict(),
        "failed": [{**one.to_dict(), "path": shown(one.path)} for one in done.failed],
        "away": [shown(path) for path in done.away],
        "pictures": held.pictures,
        "model": held.model,
    }
    lines = [f"{counted(held.pictures, 'picture')} in the index, model: {held.model or 'none yet'}", done.summary()]
    lines += [f"{shown(path)} cannot be listed now; its pictures stay in the index" for path in done.away]
    lines += [f"failed: {shown(one.path)}: {one.reason}" for one in done.failed]
    notes = [note for note in (*model.notes, demo_note(held.source)) if note]
    token = f"{counted(held.pictures, 'picture')}, {held.space}"
    return node_result("clip_index", [report], lines, notes, (token, json_text(report)))


def search_the_index(inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the search node returns; its lists have one item per hit that could be read, weak ones last.

    Outputs that would be empty lists, which ComfyUI cannot handle, hold ComfyUI's blocker instead.
    Raises InputError without an index, for a filter, option or model that cannot be used, and if there are no hits and
    ``when_empty`` is "stop".
    """
    options = read_widgets(SearchOptions, inputs)
    when_empty = read_widgets(EmptyOptions, inputs).when_empty
    _check_index(host)
    model = workflow_choice(host, _linked(inputs))
    found = search(
        _texts(inputs, "text"), without=_texts(inputs, "without"), like=_pictures(inputs, "like"),
        unlike=_pictures(inputs, "unlike"), index=host.index_folder, model=model, **vars(options),
    )  # fmt: skip
    rows, notes = _loaded(sorted(found.hits, key=lambda hit: hit.is_weak), host)
    found = replace(found, hits=tuple(row.hit for row in rows))
    reason = "" if rows else notes[0] if notes else why_nothing(found, options.where, options.strong)
    if reason and when_empty == STOP:
        raise InputError(f"nothing was found: {reason}")
    notes = [*model.notes, *notes, *([f"nothing was found: {reason}; what follows is not run"] if reason else [])]
    entries = [_entry(row, host) for row in rows]
    report = {**found.to_dict(), "hits": entries, "notes": notes}
    lists = [host.image(row.image) for row in rows], [str(row.path) for row in rows], [row.hit.score for row in rows]
    outputs = (*(one or [host.blocker()] for one in lists), json_text(report))
    result = node_result("clip_search", entries, list(_hit_lines(found, rows)), notes, outputs)
    result["ui"]["images"] = [_shown(row.thumbnail, host) for row in rows[:MOST_SHOWN]]
    return result


def _check_index(host: Host) -> None:
    """Raises InputError where there is nothing to search in."""
    if not has_index(host) or not index_status(host.index_folder, measured=False).pictures:
        raise InputError(
            "there are no pictures in the index yet; run the node Index Images (ClipGrid_IndexImages) first, and link "
            "its index to this node"
        )


def _linked(inputs: Inputs) -> LoadedModel | None:
    value = first_value(inputs, "model")
    return None if value is None else check_loaded(value, "model")


def _texts(inputs: Inputs, name: str) -> list[tuple[str, float]]:
    """The lines of a text input, each with its weight."""
    return [weighted(line) for line in directory_lines(inputs.get(name) or ())]


def _pictures(inputs: Inputs, name: str) -> Sequence[Any]:
    """The pictures of an IMAGE input one by one; empty if it is not linked."""
    values: Values = [one for one in inputs.get(name) or () if one is not None]
    return [np.asarray(one) for one in picture_arrays(values)] if values else []


def _loaded(hits: Sequence[Hit], host: Host) -> tuple[list[_Row], list[str]]:
    """The hits with their pictures, and notes on those that cannot be shown and on a reduction."""
    files, notes = Files(host.folders), []
    there = [(hit, paths) for hit in hits if (paths := files.allowed(hit.picture))]
    if len(there) < len(hits):
        notes.append(
            f"{len(hits) - len(there)} of {counted(len(hits), 'hit')} left out: their files are gone, or outside the "
            "folders that this server allows"
        )
    pixels = sum(hit.picture.width * hit.picture.height for hit, _ in there)
    factor = ceil(sqrt(pixels / PIXEL_BUDGET)) if pixels > PIXEL_BUDGET else 1
    if factor > 1:
        notes.append(
            f"images are reduced to 1/{factor} of their width, as they have more than {PIXEL_BUDGET // 10**6} "
            "megapixels together; a smaller top keeps their sizes"
        )
    bar, rows = host.progress(), []
    with closing(map_in_order(lambda one: _read(*one, factor), there)) as read:
        for done, one in enumerate(read, 1):
            if isinstance(one, _Row):
                rows.append(one)
            else:
                notes.append(host.folders.shown_text(one))
            bar(done, len(there))
    return rows, notes


def _read(hit: Hit, paths: Sequence[Path], factor: int) -> _Row | str:
    """A hit with the first of its files that can be read, or why none can."""
    reason = ""
    for path in paths:
        try:
            image = flattened(load_picture(path), None)
        except PictureError as error:
            reason = reason or f"left out: {error}"
            continue
        image = image if factor == 1 else image.reduce(factor)
        return _Row(hit, path, page_floats(np.asarray(image)), make_thumbnail(image))
    return reason


def _entry(row: _Row, host: Host) -> dict[str, Any]:
    """A hit as JSON values, without the place of ComfyUI's folders."""
    shown = host.folders.shown_path
    entry = row.hit.to_dict()
    paths = [{**one, "path": shown(one["path"])} for one in entry["paths"]]
    return {**entry, "path": shown(str(row.path)), "paths": paths}


def _hit_lines(found: Hits, rows: Sequence[_Row]) -> Iterator[str]:
    """A line per hit, the best first, and one above the first weak one."""
    yield f"{len(rows)} of {counted(found.passed, 'picture')}; index of {found.total}, model: {found.model}"
    for place, row in enumerate(rows, 1):
        hit = row.hit
        if hit.is_weak and not (place > 1 and rows[place - 2].hit.is_weak):
            yield "--- these fit weakly ---"
        how = [] if hit.z is None else [f"z {format_number(hit.z, 1)}", f"better than {hit.percentile:.1f} %"]
        how += [f"by {hit.found_by}"] if hit.keyword_rank is not None else []
        yield f"{place}. {row.path.name}{': ' if how else ''}{', '.join(how)}"


def _shown(thumbnail: bytes, host: Host) -> dict[str, str]:
    """A small picture, put into the temp folder, as ComfyUI shows it on a node."""
    name = f"clip_grid_{secrets.token_hex(6)}.webp"
    with atomic_file(host.folders.temp / name) as file:
        file.write(thumbnail)
    return {"filename": name, "subfolder": "", "type": "temp"}
