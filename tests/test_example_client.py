"""Tests: the example client uploads pictures to a ComfyUI, runs a workflow and prints its results."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

MATCH = {
    "text": "a red circle",
    "z": 3.2,
    "clip_similarity_score": 0.31,
    "clip_match_status": "Match (score: 0.310)",
    "clip_is_match": True,
}
LABEL = {"path": "picture 1", "label": "circle", "score": 0.93, "scale": "softmax over 8 labels"}
OUTPUTS = {"3": {"clip_match": [MATCH], "text": ["shown"]}, "4": {"clip_labels": [LABEL]}}
DONE = {"outputs": OUTPUTS, "status": {"status_str": "success", "completed": True, "messages": []}}
BAD_INPUT = {"message": "Value not in list", "details": "model: 'gone'"}
BAD_NODE = {"2": {"class_type": "ClipGrid_CLIPModelLoader", "errors": [BAD_INPUT]}}


@dataclass
class Comfy:
    """What a fake server received, and how it answers."""

    address: str = ""
    uploads: list[tuple[str, bytes]] = field(default_factory=list)
    workflows: list[dict[str, Any]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    history: dict[str, Any] = field(default_factory=lambda: DONE)
    #: How many requests for the history come before the run has ended.
    busy: int = 0
    #: The queue.
    pending: list[list[Any]] = field(default_factory=list)
    #: The messages of the websocket; None if there is none.
    events: list[dict[str, Any] | bytes] | None = None
    #: The status and the answer to a workflow if it is refused.
    refusal: tuple[int, object] | None = None


class Handler(BaseHTTPRequestHandler):
    comfy: Comfy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/upload/image":
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            (part,) = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
            self.comfy.uploads.append((part.get_filename(), part.get_payload(decode=True)))
            self.answer(200, {"name": f"{len(self.comfy.uploads)}.png", "subfolder": "", "type": "input"})
        elif self.comfy.refusal:
            self.answer(*self.comfy.refusal)
        else:
            posted = json.loads(body)
            self.comfy.clients.append(posted["client_id"])
            self.comfy.workflows.append(posted["prompt"])
            self.answer(200, {"prompt_id": f"run {len(self.comfy.workflows)}", "number": 1, "node_errors": {}})

    def do_GET(self) -> None:
        if self.path == "/queue":
            self.answer(200, {"queue_running": [], "queue_pending": self.comfy.pending})
            self.comfy.pending = self.comfy.pending[1:]
            return
        if self.path.startswith("/ws?"):
            self.tell_events()
            return
        self.comfy.busy -= 1
        run = self.path.removeprefix("/history/").replace("%20", " ")
        self.answer(200, {} if self.comfy.busy >= 0 else {run: self.comfy.history})

    def tell_events(self) -> None:
        """A websocket (RFC 6455) that says all it has to say at once."""
        if self.comfy.events is None:
            self.answer(404, {})
            return
        self.protocol_version = "HTTP/1.1"
        accepted = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(accepted.encode()).digest()).decode())
        self.end_headers()
        while not self.comfy.clients:
            time.sleep(0.001)
        for event in self.comfy.events:
            kind, body = (0x82, event) if isinstance(event, bytes) else (0x81, json.dumps(event).encode())
            self.wfile.write(bytes([kind, 126]) + len(body).to_bytes(2, "big") + body)
        # until the client closes it
        self.rfile.read(2)
        self.close_connection = True

    def answer(self, code: int, content: object) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def comfy() -> Iterator[Comfy]:
    server_state = Comfy()
    handler = type("Bound", (Handler,), {"comfy": server_state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server_state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server_state
        server.shutdown()
        thread.join()


@pytest.fixture
def client(comfy):
    """Runs the example with these arguments against the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        # as when it is run: the files beside it can be imported
        patch.syspath_prepend(str(EXAMPLES))
        progress, module = importlib.import_module("comfy_progress"), importlib.import_module("score_pictures")
        patch.setattr(progress, "PAUSE_S", 0.001)
        yield lambda *args: module.main(["--server", comfy.address, *map(str, args)])


def test_the_scores_are_printed_with_their_scales(client, comfy, capsys):
    assert client() == 0

    assert capsys.readouterr().out == (
        "workflow, 'a red circle': Match, z 3.200, cosine 0.310\npicture 1: circle, softmax over 8 labels 0.930\n"
    )
    assert comfy.workflows == [json.loads((EXAMPLES / "api" / "score_workflow.json").read_text("utf-8"))]


def test_each_picture_is_uploaded_and_scored(client, comfy, capsys, tmp_path):
    for name in ("ä b.png", "2.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n" + name.encode())

    assert client(tmp_path / "ä b.png", tmp_path / "2.png", "--text", "ein Kreis", "--model", "mine") == 0

    assert comfy.uploads == [(name, b"\x89PNG\r\n" + name.encode()) for name in ("ä b.png", "2.png")]
    assert [workflow["1"]["inputs"]["image"] for workflow in comfy.workflows] == ["1.png", "2.png"]
    assert {workflow["3"]["inputs"]["text"] for workflow in comfy.workflows} == {"ein Kreis"}
    assert {workflow["2"]["inputs"]["model"] for workflow in comfy.workflows} == {"mine"}
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_it_waits_until_the_run_is_done(client, comfy):
    comfy.busy = 3

    assert client() == 0
    assert comfy.busy == -1


def test_everything_is_printed_as_json_if_asked(client, capsys):
    assert client("--json") == 0

    assert json.loads(capsys.readouterr().out) == [
        {"picture": "workflow", "clip_match": [MATCH], "clip_labels": [LABEL], "clip_rank": [], "files": []}
    ]


def test_a_picture_without_a_score_has_a_line_too(client, comfy, capsys):
    unread = {"text": "x", "clip_similarity_score": None, "clip_match_status": "Not read: broken"}
    unlabelled = {"label": "unlabeled", "score": None, "scale": ""}
    comfy.history = DONE | {"outputs": {"3": {"clip_match": [unread], "clip_labels": [unlabelled]}}}

    assert client() == 0
    assert (
        capsys.readouterr().out == "workflow, 'x': Not read: broken, z -, cosine -\nworkflow: unlabeled, no score -\n"
    )


def test_ranks_and_saved_files_are_printed_each_once(client, comfy, capsys):
    best = {"path": "picture 2", "score": 0.4, "is_kept": True, "reason": ""}
    other = {"path": "picture 1", "score": None, "is_kept": False, "reason": "no score"}
    sheet = {"filename": "a_00001_.png", "subfolder": "", "type": "output"}
    shown = {"filename": "b.png", "subfolder": "", "type": "temp"}
    saved = {"filename": "c.png", "subfolder": "best", "type": "output"}
    sheets = {
        "images": [sheet, shown],
        "clip_grid_files": [sheet],
        "clip_grid": [{"status": "ok"}],
        "animated": (True,),
    }
    comfy.history = DONE | {"outputs": {"1": {"clip_rank": [best, other]}, "2": sheets, "3": {"images": [saved]}}}

    assert client() == 0
    assert capsys.readouterr().out.splitlines() == [
        "picture 2: place 1, 0.400, kept",
        "picture 1: place 2, -, not kept, no score",
        "saved: a_00001_.png",
        "saved: best/c.png",
    ]


def test_progress_is_read_from_the_queue(client, comfy, capsys):
    comfy.busy = 4
    comfy.pending = [[1, "other"], [2, "run 1"]]

    assert client("--progress") == 0
    assert capsys.readouterr().err.splitlines() == ["waiting, 1 before it", "waiting, next", "running"]


def test_progress_comes_from_the_websocket_if_its_package_is_installed(client, comfy, capsys, monkeypatch):
    pytest.importorskip("websockets")
    # the event that ends the run ends the pause, however slowly the events come
    monkeypatch.setattr("comfy_progress.PAUSE_S", 60)
    mine, other = {"prompt_id": "run 1"}, {"prompt_id": "another"}
    comfy.busy = 1
    comfy.events = [
        {"type": "status", "data": {"sid": "x"}},
        b"\0\0\0\1preview",
        {"type": "executing", "data": {"node": "2", **other}},
        {"type": "executing", "data": {"node": "4", **mine}},
        *({"type": "progress", "data": {"node": "4", "value": step, "max": 8, **mine}} for step in range(1, 9)),
        {"type": "executing", "data": {"node": "4.0.1", **mine}},
        {"type": "executing", "data": {"node": None, **mine}},
    ]

    assert client("--progress") == 0

    title = "Which of these is it?"
    steps = [f"{title}: {step} of 8" for step in (2, 4, 6, 8)]
    assert capsys.readouterr().err.splitlines() == [title, *steps, "node 4.0.1"]
    assert len(set(comfy.clients)) == 1 and comfy.clients[0]


def test_no_progress_is_shown_unless_asked_for(client, comfy, capsys):
    comfy.busy = 2

    assert client() == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", sorted((EXAMPLES / "api").glob("*.json")), ids=lambda path: path.stem)
def test_every_example_can_be_submitted(client, comfy, path):
    assert client("--workflow", path) == 0
    assert comfy.workflows == [json.loads(path.read_text("utf-8"))]


def test_a_missing_picture_does_not_stop_the_others(client, comfy, capsys, tmp_path):
    (tmp_path / "there.png").write_bytes(b"x")

    assert client(tmp_path / "gone.png", tmp_path / "there.png") == 1

    printed = capsys.readouterr()
    assert "gone.png: it cannot be read: No such file" in printed.err
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize("code", [200, 400])
def test_the_errors_of_nodes_are_shown(client, comfy, capsys, code):
    comfy.refusal = code, {"prompt_id": "1", "error": {"message": "no"}, "node_errors": BAD_NODE}

    assert client() == 1
    assert "node 2 (ClipGrid_CLIPModelLoader): Value not in list: model: 'gone'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": {"message": "Prompt has no outputs", "details": ""}, "node_errors": {}}, "Prompt has no outputs"),
        (b"<html>", "ComfyUI refuses /prompt: 400"),
        ([], "ComfyUI refuses /prompt: 400"),
    ],
)
def test_a_refusal_of_the_workflow_is_shown(client, comfy, capsys, answer, message):
    comfy.refusal = 400, answer

    assert client() == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            ["execution_error", {"node_id": "3", "node_type": "Match", "exception_message": "text is empty\n"}],
            "node 3 (Match): text is empty\n",
        ),
        (["execution_interrupted", {}], "the run was interrupted"),
    ],
)
def test_the_error_of_a_failed_run_is_shown(client, comfy, capsys, event, message):
    comfy.history = {"outputs": {}, "status": {"status_str": "error", "messages": [["execution_start", {}], event]}}

    assert client() == 1
    assert message in capsys.readouterr().err


def test_a_run_without_scores_is_an_error(client, comfy, capsys):
    comfy.history = {"outputs": {"9": {"images": []}}, "status": None}

    assert client() == 1
    assert "the run gave no scores and no files; add CLIP Match Score" in capsys.readouterr().err


def test_a_run_that_takes_too_long_is_an_error(client, comfy, capsys):
    comfy.busy = 1_000_000

    assert client("--timeout", "0") == 1
    assert "not done after 0 s; give it longer with --timeout" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [b"hello", [], {"hello": 1}])
def test_another_kind_of_server_is_an_error(client, comfy, capsys, answer):
    comfy.refusal = 200, answer

    assert client() == 1
    assert "/prompt does not answer as ComfyUI does; check --server" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "localhost:8188", "nothing"])
def test_a_missing_server_is_one_error_for_all_pictures(client, capsys, tmp_path, address):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")

    assert client(tmp_path / "a.png", tmp_path / "b.png", "--server", address) == 1

    error = capsys.readouterr().err
    assert address in error and "--server" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is no workflow"),
        ("{", "is no workflow"),
        ("{}", "is not in API format"),
        ('{"nodes": [], "links": []}', "is not in API format"),
        ('{"1": {"class_type": "SaveImage", "inputs": {}}}', "the workflow has no LoadImage"),
    ],
)
def test_a_workflow_that_cannot_be_used_is_an_error(client, capsys, tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(b"x")
    if content is not None:
        (tmp_path / "flow.json").write_text(content, "utf-8")

    assert client(tmp_path / "a.png", "--workflow", tmp_path / "flow.json") == 1
    assert message in capsys.readouterr().err
