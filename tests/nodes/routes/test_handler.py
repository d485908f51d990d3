"""Tests: routes are added to ComfyUI's server once; only pages of that server may ask it, and only for JSON."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from clip_grid.nodes.routes import add_routes
from clip_grid.nodes.routes.handler import PLAN, plan_answer
from clip_grid.nodes.routes.plan import MAX_BODY
from clip_grid.nodes.routes.search import route_handlers

from .serving import send, served

JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.usefixtures("host")


class Routes(list):
    """Like aiohttp's table of routes."""

    def post(self, path, method="POST"):
        return lambda handler: self.append(SimpleNamespace(method=method, path=path, handler=handler)) or handler

    def get(self, path):
        return self.post(path, "GET")


def test_each_route_is_added_once_even_by_two_copies_of_the_pack(host):
    host.route_table = Routes()

    add_routes(host)
    add_routes(host)

    added = [(route.method, route.path) for route in host.route_table]
    assert ("POST", PLAN) in added
    assert len(set(added)) == len(added) == 1 + len(route_handlers())


def test_no_route_takes_a_path_and_what_changes_something_is_posted(host):
    host.route_table = Routes()

    add_routes(host)

    gets = {route.path for route in host.route_table if route.method == "GET"}
    assert gets == {"/clip_grid/index/status", "/clip_grid/picture/{id:[0-9]+}", "/clip_grid/thumbnail/{id:[0-9]+}"}


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


def test_over_http_a_plan_is_answered_and_everything_else_refused(host):
    with served(host) as port:
        status, answer, _ = send(port, "POST", PLAN, b'{"count": 4}')

        assert (status, len(json.loads(answer)["pages"][0]["cells"])) == (200, 4)
        assert send(port, "GET", PLAN)[0] == 405
        assert send(port, "PUT", PLAN, b"{}")[0] == 405
        assert send(port, "POST", PLAN, b"{}", {"Content-Type": "text/plain"})[0] == 415
        assert send(port, "POST", PLAN, b"{}", {**JSON, "Origin": "http://evil.example"})[0] == 403
        assert send(port, "POST", PLAN, b" " * (MAX_BODY + 1))[0] == 413
