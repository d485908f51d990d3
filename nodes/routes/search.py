"""The routes of the search tab: pictures of the index by opaque ids, never by a path; no GET changes the index."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import ClipGridError, InputError
from ..host import get_host
from .handler import first_bytes, is_same_origin

if TYPE_CHECKING:
    from aiohttp import web

    from ..search.requests import SearchRequest

BASE = "/clip_grid"
#: Bytes of a dropped picture; as ComfyUI's own limit of uploads.
MAX_PICTURE = 100 << 20
#: Status and JSON of an answer; what a user can cause is 200 with ``{"error": message}``, as for the layout.
Answer = tuple[int, dict[str, Any]]
_VOID: Answer = 409, {"error": "a newer search of the same page has taken its place"}
_GONE: Answer = 404, {"error": "there is no such picture"}
_one_search = asyncio.Semaphore(1)


def route_handlers() -> dict[tuple[str, str], Callable[[web.Request], Any]]:
    """The handler of each route, by method and path."""
    return {
        ("POST", f"{BASE}/search"): answer_search,
        ("POST", f"{BASE}/search/picture"): answer_dropped,
        ("POST", f"{BASE}/search/sheet"): answer_sheet,
        ("GET", f"{BASE}/picture/{{id:[0-9]+}}"): answer_picture,
        ("GET", f"{BASE}/thumbnail/{{id:[0-9]+}}"): answer_thumbnail,
        ("GET", f"{BASE}/index/status"): answer_status,
        ("POST", f"{BASE}/index/update"): partial(answer_indexing, do="start"),
        ("POST", f"{BASE}/index/stop"): partial(answer_indexing, do="stop"),
    }


# --- over HTTP, off the event loop


async def answer_search(request: web.Request) -> web.Response:
    """The hits; a request that its client has followed by a newer one is not computed."""
    from ..search.requests import MAX_BODY

    # with one byte more, a body that is too long is recognised
    body = await first_bytes(request, MAX_BODY + 1)
    asked = await asyncio.to_thread(read_search, body, request.headers)
    if isinstance(asked, tuple):
        return _json(asked)
    async with _one_search:
        return _json(await asyncio.to_thread(search_answer, asked))


async def answer_dropped(request: web.Request) -> web.Response:
    """The name of a picture that is sent as the field ``picture`` of a form."""
    if problem := _refused(request.headers, "multipart/form-data"):
        return _json(problem)
    if (request.content_length or 0) > MAX_PICTURE + 64 * 1024:
        return _json(_too_large())
    try:
        name, data = await _picture_field(request)
    except ValueError as error:
        return _json((400, {"error": f"the form cannot be read: {error}"}))
    if len(data) > MAX_PICTURE:
        return _json(_too_large())
    async with _one_search:
        return _json(await asyncio.to_thread(dropped_answer, data, name))


async def _picture_field(request: web.Request) -> tuple[str, bytes]:
    """File name and bytes of the field ``picture``, or the first bytes of too many."""
    from aiohttp import BodyPartReader

    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        # a part may be a form of its own
        if isinstance(part, BodyPartReader) and part.name == "picture":
            data = bytearray()
            while len(data) <= MAX_PICTURE and (chunk := await part.read_chunk(1 << 20)):
                data += chunk
            return part.filename or "", bytes(data)
    return "", b""


async def answer_sheet(request: web.Request) -> web.Response:
    """A new sheet of some pictures."""
    from ..search.requests import MAX_BODY

    body = await first_bytes(request, MAX_BODY + 1)
    async with _one_search:
        return _json(await asyncio.to_thread(sheet_answer, body, request.headers))


async def answer_picture(request: web.Request) -> web.Response:
    """What is known of a picture."""
    return _json(await asyncio.to_thread(picture_answer, int(request.match_info["id"]), request.headers))


async def answer_thumbnail(request: web.Request) -> web.Response:
    """A small picture in WebP."""
    from aiohttp import web

    id = int(request.match_info["id"])
    status, headers, body = await asyncio.to_thread(thumbnail_answer, id, request.headers)
    return web.Response(status=status, headers=headers, body=body)


async def answer_status(request: web.Request) -> web.Response:
    """What the index holds, and how far an update is."""
    return _json(await asyncio.to_thread(status_answer, request.headers))


async def answer_indexing(request: web.Request, *, do: str) -> web.Response:
    """Starts or stops an update of the index."""
    return _json(await asyncio.to_thread(indexing_answer, do, request.headers))


def _json(answer: Answer) -> web.Response:
    from aiohttp import web

    status, data = answer
    return web.json_response(data, status=status, headers={"Cache-Control": "no-store"})


# --- without HTTP


def read_search(body: bytes, headers: Mapping[str, str]) -> SearchRequest | Answer:
    """The search that is asked for, which makes earlier ones of its client void, or why it is refused."""
    from ..search.requests import SearchRequest

    if problem := _refused(headers, "application/json", body):
        return problem
    try:
        asked = SearchRequest.from_json(body)
    except InputError as error:
        return 400, {"error": str(error)}
    _service().newest.enter(asked)
    return asked


def search_answer(asked: SearchRequest) -> Answer:
    """The hits, or that a newer search has taken its place before or meanwhile."""
    service = _service()
    if service.newest.is_void(asked):
        return _VOID
    answer = _answered(lambda: service.search(asked))
    return _VOID if service.newest.is_void(asked) else answer


def dropped_answer(data: bytes, name: str) -> Answer:
    """The name under which a search may use a picture."""
    if not data:
        return 400, {"error": "the form has no picture"}
    return _answered(lambda: _service().drop(data, name))


def sheet_answer(body: bytes, headers: Mapping[str, str]) -> Answer:
    """A new sheet of the pictures of ``{"ids": […]}``, as a sheet node shows it."""
    from ..search.requests import read_ids

    if problem := _refused(headers, "application/json", body):
        return problem
    try:
        ids = read_ids(body)
    except InputError as error:
        return 400, {"error": str(error)}
    return _answered(lambda: _service().sheet(ids))


def picture_answer(id: int, headers: Mapping[str, str]) -> Answer:
    """What is known of a picture."""
    if problem := _refused(headers):
        return problem
    try:
        return _answered(lambda: _service().picture(id))
    except KeyError:
        return _GONE


def thumbnail_answer(id: int, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and bytes of a small picture; a browser keeps it, and its address changes with the content."""
    named = {name.lower(): value for name, value in headers.items()}
    if problem := _refused(headers):
        return problem[0], {}, b""
    try:
        found = _service().thumbnail(id)
    except (KeyError, ClipGridError):
        return 404, {"Cache-Control": "no-store"}, b""
    tag = f'"{found.version}"'
    kept = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable"}
    if tag in named.get("if-none-match", ""):
        return 304, kept, b""
    return 200, {**kept, "Content-Type": "image/webp", "X-Content-Type-Options": "nosniff"}, found.data


def status_answer(headers: Mapping[str, str]) -> Answer:
    """What the index holds, and how far an update is."""
    return _refused(headers) or _answered(lambda: _service().status())


def indexing_answer(do: str, headers: Mapping[str, str]) -> Answer:
    """Starts or stops an update, and says how far it is."""
    if problem := _refused(headers, "application/json"):
        return problem
    service = _service()
    if do == "start":
        service.indexing.start()
    else:
        service.indexing.stop()
    return _answered(service.status)


def _answered(work: Callable[[], dict[str, Any]]) -> Answer:
    try:
        return 200, work()
    except ClipGridError as error:
        return 200, {"error": str(error)}


def _refused(headers: Mapping[str, str], kind: str = "", body: bytes = b"") -> Answer | None:
    """Why a request is not answered: it comes from another site, or its body is of another kind or too long."""
    from ..search.requests import MAX_BODY

    named = {name.lower(): value for name, value in headers.items()}
    if not is_same_origin(named):
        return 403, {"error": "the request comes from another site"}
    if kind and named.get("content-type", "").split(";")[0].strip().lower() != kind:
        return 415, {"error": f"the request must be {kind}"}
    if len(body) > MAX_BODY:
        return 413, {"error": f"the request has more than {MAX_BODY} bytes"}
    return None


def _too_large() -> Answer:
    return 200, {"error": f"the picture has more than {MAX_PICTURE >> 20} MB; make it smaller first"}


def _service() -> Any:
    from ..search.service import search_service

    return search_service(get_host())
