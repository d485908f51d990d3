"""Tests: the one route answers the layout of a sheet, and refuses everything that no page of ours would ask."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from clip_grid.api.sheets import to_plan_inputs
from clip_grid.grid.pictures.survey import pictures_from_arrays
from clip_grid.grid.planner import plan_sheet
from clip_grid.grid.template import GridTemplate
from clip_grid.nodes.grid_nodes import save_template
from clip_grid.nodes.routes.__init__ import serve_routes
from clip_grid.nodes.routes.plan import MAX_BODY, MAX_COUNT
from clip_grid.nodes.routes.routes import PLAN, answer_plan, plan_answer
from PIL import Image

JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.usefixtures("host")


def ask(**fields):
    return plan_answer(json.dumps(fields).encode(), JSON)


def error_of(body, headers=None):
    status, answer = plan_answer(body if isinstance(body, bytes) else json.dumps(body).encode(), headers or JSON)
    assert list(answer) == ["error"]
    return status, answer["error"]


def test_the_boxes_are_those_of_the_sheet_that_the_node_makes():
    options = {"columns": 3, "cell_width": 100, "cell_height": 60, "title": "Seeds", "label_position": "below"}
    survey = pictures_from_arrays([Image.new("RGB", (200, 120))] * 5)
    template = GridTemplate(sort_by="given", **options)
    labels = ["a", "b", "c", "d", "e"]
    from clip_grid.api.sheets import SheetInputs

    made = plan_sheet(survey, template, to_plan_inputs(SheetInputs(labels=labels), survey, template)).plan.pages[0]

    status, answer = ask(options=options, count=5, width=200, height=120, labels="\n".join(labels))

    page = answer["pages"][0]
    assert (status, page["width"], page["height"]) == (200, made.width, made.height)
    assert (page["rows"], page["columns"], answer["page_count"]) == (2, 3, 1)
    assert [cell["image_box"] for cell in page["cells"]] == [list(cell.image) for cell in made.cells]
    assert [cell["label_box"] for cell in page["cells"]] == [list(cell.label) for cell in made.cells]
    assert [cell["label"] for cell in page["cells"]] == labels
    assert [(text["kind"], text["text"]) for text in page["texts"]] == [("title", "Seeds")]


def test_a_built_in_and_a_saved_template_are_found_by_name():
    save_template(GridTemplate(name="mine", background="#102030"))

    assert ask(template="mine")[1]["colors"]["page"] == "#102030ff"
    assert ask(template="mine", options={"background": "red"})[1]["colors"]["page"] == "#ff0000ff"
    assert ask(template="dark-theme")[0] == 200
    assert ask(template="none")[0] == 200
    # as the Grid Template node hands it on
    assert ask(template={"name": "linked", "background": "blue"})[1]["colors"]["page"] == "#0000ffff"


def test_named_axes_show_example_headers():
    page = ask(options={"x_axis": "cfg", "y_axis": "sampler"}, count=6)[1]["pages"][0]

    texts = [(text["kind"], text["text"]) for text in page["texts"]]
    assert ("column", "cfg: 1") in texts and ("row", "sampler: 1") in texts


@pytest.mark.parametrize(
    "options",
    [
        {"sort_by": "seed"},
        {"sort_by": "csv"},
        {"badge": "score", "heatmap": "on", "winner": "highest"},
        {"label_columns": "seed, sampler"},
        {"label_format": "{seed} · {sampler}"},
        {"resample": "torch", "frame": 3},
        {"page_axis": "model"},
        {"legend": "on"},
    ],
)
def test_options_that_need_pictures_still_show_a_layout(options):
    assert ask(options=options, count=3)[0] == 200


@pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "..\\mine", "mine.json", "a\0b", "x" * 5000])
def test_a_template_is_named_and_never_a_path(name, host):
    save_template(GridTemplate(name="mine"))
    (host.templates_folder.parent / "mine.json").write_text(GridTemplate().to_json())

    status, error = error_of({"template": name})

    assert (status, error.startswith("there is no template")) == (200, True)


@pytest.mark.parametrize("font", ["/etc/passwd", "../../secret.ttf", "~/x.ttf", "C:\\x.ttf"])
def test_a_font_outside_the_allowed_folders_is_refused(font):
    error = error_of({"options": {"font": font}})[1]

    assert "outside the folders" in error or "there is no file or folder" in error


def test_a_template_or_font_that_is_gone_is_named():
    assert "there is no template 'xy-plod'; did you mean 'xy-plot'?" in error_of({"template": "xy-plod"})[1]
    assert "the font 'Gone Sans' was not found" in error_of({"options": {"font": "Gone Sans"}})[1]


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
    assert plan_answer(b"{}", {**JSON, **headers})[0] == (200 if allowed else 403)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_only_json_is_read(kind):
    assert error_of(b"{}", {"content-type": kind})[0] == 415
    assert plan_answer(b"{}", {"content-type": "Application/JSON; charset=utf-8"})[0] == 200


def test_a_huge_body_is_refused_unread():
    body = json.dumps({"labels": "x" * MAX_BODY}).encode()

    assert error_of(body)[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"count": NaN}',
        b'{"options": {"rows": Infinity}}',
        b'{"count": 1e999}',
        b'{"count": ' + b"9" * 6000 + b"}",
        b"[" * 60_000,
        b'{"options":' * 5000 + b"1" + b"}" * 5000,
        b'{"count": 0}',
        b'{"count": -1}',
        b'{"count": true}',
        b'{"count": "12"}',
        b'{"count": 2.5}',
        b'{"width": 0}',
        b'{"height": 100000}',
        b'{"path": "x"}',
        b'{"template": 3}',
        b'{"template": ["a"]}',
        b'{"options": []}',
        b'{"options": {"rows": [1]}}',
        b'{"options": {"rows": null}}',
        b'{"template": {"background": {"a": 1}}}',
        b'{"labels": ["a"]}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_what_is_no_request_is_answered_with_its_fault(body):
    assert error_of(body)[0] == 400


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ('{"path": "x"}', "there is no option 'path'"),
        ('{"rows": 20000}', "rows is 20000; it must be in the range"),
        ('{"rows": 1e999}', "rows is"),
        ('{"rows": "many"}', "rows is"),
        ('{"fit": "explode"}', "fit is 'explode'; it must be one of"),
        ('{"background": "url(x)"}', "background is 'url(x)'"),
    ],
)
def test_an_option_that_cannot_be_used_is_answered_as_the_node_would(options, error):
    status, answer = error_of(f'{{"options": {options}}}'.encode())

    assert (status, answer.startswith(error)) == (200, True)


def test_counts_texts_and_pages_are_bounded():
    assert "count is 2001" in error_of({"count": MAX_COUNT + 1})[1]
    assert "title is longer" in error_of({"options": {"title": "x" * 3000}})[1]
    assert "row_headers has more" in error_of({"options": {"row_headers": ";" * 3000}})[1]

    status, answer = ask(count=MAX_COUNT, options={"rows": 1, "columns": 1, "title": "x " * 900})

    assert (status, answer["page_count"], len(answer["pages"])) == (200, MAX_COUNT, 8)
    assert len(json.dumps(answer)) < 64_000


def test_text_that_no_encoding_holds_is_answered_as_json():
    status, answer = ask(options={"title": "\ud800 <b>"}, labels='"\ud83d"')

    assert (status, json.loads(json.dumps(answer))) == (200, answer)


# with ComfyUI's server


class Routes(list):
    """As aiohttp's table of routes keeps what is decorated."""

    def post(self, path):
        return lambda handler: self.append(SimpleNamespace(method="POST", path=path, handler=handler)) or handler


@pytest.fixture
def running(monkeypatch):
    routes = Routes()
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=SimpleNamespace(routes=routes)))
    monkeypatch.setitem(sys.modules, "server", server)
    return routes


def test_the_route_is_served_once_even_by_two_copies_of_the_pack(running):
    serve_routes()
    serve_routes()

    assert [(route.method, route.path) for route in running] == [("POST", PLAN)]


def test_without_the_server_nothing_happens(monkeypatch):
    monkeypatch.delitem(sys.modules, "server", raising=False)
    serve_routes()
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace())
    serve_routes()

    assert "server" in sys.modules


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
