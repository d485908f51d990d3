"""What a server that refuses, fails or is silent does to a copy: a sentence, and nothing lost."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clip_grid.clip_backend.search.stores import qdrant
from clip_grid.errors import InputError, MissingPackage, OutputError

from ..filled import Made, fill
from .copied import copy_to


class Server:
    """A server on this machine that knows as much of Qdrant as one copy needs."""

    def __init__(self, fails: Callable[[str, str, dict[str, str]], int] = lambda *_: 0) -> None:
        #: Gives the status of a failure, 0 for none, and -1 for silence.
        self.fails = fails
        self.points: dict[str, dict] = {}
        self.metadata: object = None
        self.indexes: dict[str, object] = {}
        self.requests: list[str] = []
        self.done = threading.Event()

    def answer(self, method: str, path: str, headers: dict[str, str], body: dict) -> tuple[int, object]:
        self.requests.append(f"{method} {path}")
        status = self.fails(method, path, headers)
        if status < 0:
            self.done.wait(5)
        if status:
            return status, {"status": {"error": "not today"}}
        return 200, {"result": self._result(method, path, body), "status": "ok", "time": 0.0}

    def _result(self, method: str, path: str, body: dict) -> object:
        if path.endswith("/exists"):
            return {"exists": self.metadata is not None}
        if path.endswith("/points/scroll"):
            return {"points": [{"id": id, "payload": point["payload"]} for id, point in self.points.items()]}
        if path.endswith("/points") and method == "POST":
            return [{"id": id, "payload": self.points[id]["payload"]} for id in body["ids"] if id in self.points]
        if path.endswith("/points"):
            self.points |= {point["id"]: point for point in body["points"]}
            return {"operation_id": 1, "status": "completed"}
        if method == "PUT" and path.count("/") == 2:
            self.metadata = body["metadata"]
            return True
        if method == "GET":
            return _described(self.metadata, self.indexes)
        if path.endswith("/index"):
            self.indexes[body["field_name"]] = {"data_type": "keyword", "points": 0}
        return {"operation_id": 1, "status": "completed"}


def _described(metadata: object, indexes: object) -> object:
    config = {
        "params": {"vectors": {"size": 2, "distance": "Cosine"}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
        "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0,
                             "flush_interval_sec": 5},
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        "metadata": metadata,
    }  # fmt: skip
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": config,
        "payload_schema": indexes,
    }


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """The URL of the server, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, answer = server.answer(
                self.command, self.path.partition("?")[0], {k.lower(): v for k, v in self.headers.items()}, body
            )
            if status < 0:
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _do

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        server.done.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "index", [Made("a.png", (1, 0)), Made("b.png", (0, 1)), Made("c.png", (1, 1))])


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setattr(qdrant, "find_spec", lambda name: None)

    with pytest.raises(MissingPackage, match=re.escape("pip install 'clip-grid[qdrant]'")):
        qdrant.QdrantStore("http://127.0.0.1:6333")


def needs_client() -> None:
    """Skips without the client."""
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")


def test_a_copy_goes_over_the_network(folder):
    needs_client()
    server = Server()
    with serving(server) as url:
        store = qdrant.QdrantStore(url)
        store.reach()
        assert copy_to(store, folder).added == 3
        assert copy_to(store, folder).unchanged == 3
        store.close()

    assert len(server.points) == 3
    assert sorted(server.indexes) == [
        "files[].date", "files[].folder", "files[].path", "files[].root", "has_file", "height", "numbers.seed",
        "texts.model", "texts.prompt", "texts.seed", "width",
    ]  # fmt: skip
    assert sum(request.endswith("/index") for request in server.requests) == len(server.indexes)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_said(status):
    needs_client()
    server = Server(lambda method, path, headers: 0 if headers.get("api-key") == "right" else status)
    with serving(server) as url:
        qdrant.QdrantStore(url, key="right").reach()
        with pytest.raises(
            InputError, match=r"refuses the key; put the right one into .* CLIP_GRID_STORE_KEY"
        ) as error:
            qdrant.QdrantStore(url, key="wrong").reach()
    assert "wrong" not in str(error.value)


def test_a_server_that_is_not_there_is_said():
    needs_client()
    with serving(Server()) as url:
        pass

    with pytest.raises(InputError, match=r"cannot be reached .*; start Qdrant there, or see to the URL"):
        qdrant.QdrantStore(url).reach()


def test_a_silent_server_is_not_waited_for_without_end(monkeypatch):
    needs_client()
    monkeypatch.setattr(qdrant, "TIMEOUT_S", 1)
    with serving(Server(lambda *_: -1)) as url, pytest.raises(InputError, match="no answer within 1 s"):
        qdrant.QdrantStore(url).reach()


def test_another_program_at_the_url_is_said(monkeypatch):
    needs_client()
    server = Server()
    monkeypatch.setattr(server, "answer", lambda *_: (200, {"hello": "world"}))
    with serving(server) as url, pytest.raises(InputError, match="answers, but not as Qdrant does"):
        qdrant.QdrantStore(url).reach()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_part_that_is_not_taken_is_sent_again(folder, monkeypatch, status):
    needs_client()
    monkeypatch.setattr(qdrant, "PAUSES_S", (0.01, 0.01))
    failures = [status, status]
    server = Server(lambda method, path, headers: (_writes(method, path) and failures and failures.pop()) or 0)
    with serving(server) as url:
        assert copy_to(qdrant.QdrantStore(url), folder).added == 3
    assert len(server.points) == 3


def test_what_was_sent_before_a_server_failed_is_kept_and_continued(folder, monkeypatch):
    needs_client()
    monkeypatch.setattr(qdrant, "PAUSES_S", (0.01,))
    monkeypatch.setattr("clip_grid.clip_backend.search.stores.mirror.SENT_AT_ONCE", 2)
    server = Server(lambda method, path, headers: 503 if is_full() and _writes(method, path) else 0)

    def is_full() -> bool:
        return bool(server.points) and not repaired

    repaired: list[bool] = []
    with serving(server) as url:
        store = qdrant.QdrantStore(url)
        with pytest.raises(OutputError, match=r"takes nothing more \(it answers 503.*the same command continues"):
            copy_to(store, folder)
        assert len(server.points) == 2
        repaired.append(True)
        assert copy_to(store, folder).added == 1


def test_what_a_server_refuses_for_good_is_sent_once(folder):
    needs_client()
    server = Server(lambda method, path, headers: 400 if _writes(method, path) else 0)
    with serving(server) as url, pytest.raises(InputError, match=r"cannot be used: it answers 400: .*not today"):
        copy_to(qdrant.QdrantStore(url), folder)
    assert sum(request.startswith("PUT") and request.endswith("/points") for request in server.requests) == 1


def _writes(method: str, path: str) -> bool:
    return method == "PUT" and path.endswith("/points")
