"""POST /clip_grid/plan: the layout of a sheet for the browser, computed without images."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import ClipGridError, InputError

if TYPE_CHECKING:
    from aiohttp import web

PLAN = "/clip_grid/plan"
_one_at_a_time = asyncio.Semaphore(1)


async def answer_plan(request: web.Request) -> web.Response:
    """The response; at most one layout is computed at a time, outside the server's event loop."""
    from aiohttp import web

    from .plan import MAX_BODY

    # with one byte more, a body that is too long is recognised
    body = await first_bytes(request, MAX_BODY + 1)
    async with _one_at_a_time:
        status, answer = await asyncio.get_running_loop().run_in_executor(None, plan_answer, body, request.headers)
    return web.json_response(answer, status=status, headers={"Cache-Control": "no-store"})


async def first_bytes(request: web.Request, count: int) -> bytes:
    """The body, or its first bytes; the rest is never held in memory."""
    body = b""
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) >= count:
            break
    return body[:count]


def plan_answer(body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the response: the layout, or ``{"error": message}``.

    What a user can choose but not have, such as a font that is gone, is 200 with an error, as browsers log other
    statuses as failures; 400 is for what our own pages never send. headers: their names in any case.
    """
    from ..host import get_host
    from .plan import MAX_BODY, PlanRequest, preview

    named = {name.lower(): value for name, value in headers.items()}
    if not is_same_origin(named):
        return 403, {"error": "the request comes from another site"}
    if named.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return 415, {"error": "the request must be application/json"}
    if len(body) > MAX_BODY:
        return 413, {"error": f"the request has more than {MAX_BODY} bytes"}
    try:
        request = PlanRequest.from_json(body)
    except InputError as error:
        return 400, {"error": str(error)}
    try:
        return 200, preview(request, get_host())
    except ClipGridError as error:
        return 200, {"error": str(error)}


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from our own page or from no page at all; headers: their names in lower case.

    Browsers send Sec-Fetch-Site, which no page can forge. Where they do not (plain http on another host), the origin
    must be the host that was asked.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or _netloc(origin) == headers.get("host", "").lower()


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
