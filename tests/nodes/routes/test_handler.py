"""Tests: one route is added to ComfyUI's server; only pages of that server may ask it, and only for JSON."""

from __future__ import annotations

import asyncio
import json
import threading
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from clip_grid.nodes.routes import add_routes
from clip_grid.nodes.routes.handler import PLAN, answer_plan, plan_answer
from clip_grid.nodes.routes.plan import MAX_BODY

JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.usefixtures("host")


class Routes(list):
    """Like aiohttp's table of routes."""

    def post(self, path):
        return lambda handler: self.append(SimpleNamespace(method="POST", path=path, handler=handler)) or handler


def test_the_route_is_added_once_even_by_two_copies_of_the_pack(host):
    host.route_table = Routes()

    add_routes(host)
    add_routes(host)

    assert [(route.method, route.path) for route in host.route_table] == [("POST", PLAN)]


def test_without_a_server_no_route_is_added(host):
    add_routes(host)

    assert host.route_table is None


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://127.0.0.1:8188", "Host": "127.0.0.1:8188"}, True),
        ({"Origin": "https://comfy.example", "Host": "comfy.example"}, True),
        # a proxy that asks under another name
        ({"Origin": "https://comfy.example", "Host": "127.0.0.1:8188", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example", "Host": "127.0.0.1:8188"}, False),
        ({"Origin": "http://127.0.0.1:9000", "Host": "127.0.0.1:8188"}, False),
        ({"Origin": "null", "Host": "127.0.0.1:8188"}, False),
        ({"Origin": "http://[", "Host": "127.0.0.1:8188"}, False),
        ({"Origin": "", "Host": ""}, False),
        ({"Origin": "http://127.0.0.1:8188", "Host": "127.0.0.1:8188", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_only_pages_of_the_same_server_may_ask(headers, allowed):
    status, answer = plan_answer(b"{}", {**JSON, **headers})

    assert (status, "error" in answer) == ((200, False) if allowed else (403, True))


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_only_json_is_read(kind):
    assert plan_answer(b"{}", {"content-type": kind}) == (415, {"error": "the request must be application/json"})
    assert plan_answer(b"{}", {"content-type": "Application/JSON; charset=utf-8"})[0] == 200


def test_a_huge_body_is_refused_unread():
    body = json.dumps({"labels": "x" * MAX_BODY}).encode()

    assert plan_answer(body, JSON) == (413, {"error": f"the request has more than {MAX_BODY} bytes"})


@pytest.fixture
def served():
    """The port of a real server with the route."""
    web = pytest.importorskip("aiohttp.web")
    ready, stop, port = threading.Event(), [], []

    async def serve():
        app = web.Application()
        app.router.add_post(PLAN, answer_plan)
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


def send(port, method, body=b"", headers=JSON):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, PLAN, body=body, headers=headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def test_over_http_a_plan_is_answered_and_everything_else_refused(served):
    status, answer = send(served, "POST", b'{"count": 4}')

    assert (status, len(json.loads(answer)["pages"][0]["cells"])) == (200, 4)
    assert send(served, "GET")[0] == 405
    assert send(served, "PUT", b"{}")[0] == 405
    assert send(served, "POST", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert send(served, "POST", b"{}", {**JSON, "Origin": "http://evil.example"})[0] == 403
    assert send(served, "POST", b" " * (MAX_BODY + 1))[0] == 413
