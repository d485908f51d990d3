"""A real server of the pack's routes on a free port, and requests to it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.routes import add_routes


@contextmanager
def served(host: FakeHost) -> Iterator[int]:
    """The port of the server, which ends with the block."""
    web = pytest.importorskip("aiohttp.web")
    host.route_table = web.RouteTableDef()
    add_routes(host)
    ready, stop, port = threading.Event(), [], []

    async def serve():
        app = web.Application()
        app.add_routes(host.route_table)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(site._server.sockets[0].getsockname()[1])
        stop.extend([asyncio.get_running_loop(), asyncio.Event()])
        ready.set()
        await stop[1].wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    yield port[0]
    stop[0].call_soon_threadsafe(stop[1].set)
    thread.join(10)


def send(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the answer; headers: those of a JSON request if they are not given."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(
        method, path, body=body, headers={"Content-Type": "application/json"} if headers is None else headers
    )
    response = connection.getresponse()
    answer = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return answer


def ask(port: int, method: str, path: str, data: object = None) -> Any:
    """The JSON of an answer that must be 200."""
    status, body, _ = send(port, method, path, b"" if data is None else json.dumps(data).encode())
    assert status == 200, body
    return json.loads(body)
