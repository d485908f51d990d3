"""A server of the stub page, of the extension's real files, and of the pictures in a host's folders."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import clip_grid
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.routes.routes import plan_answer

STUB = Path(__file__).resolve().parent / "stub"
WEB = Path(clip_grid.__file__).parent / "web"
MOUNT = "/extensions/ComfyUI-CLIP-Grid/"
TYPES = {".js": "text/javascript", ".mjs": "text/javascript"}


@dataclass
class Site:
    """What is served, and what the page asked for."""

    host: FakeHost
    port: int = 0
    #: The bodies of what was posted, by path.
    posted: list[tuple[str, Any]] = field(default_factory=list)
    #: As a server answers while it is starting again.
    is_down: bool = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def queued(self) -> list[dict[str, Any]]:
        """The workflows in API format that were queued."""
        return [body["prompt"] for path, body in self.posted if path == "/prompt"]


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/api")
        if self.site.is_down:
            self.send_error(503)
        elif path == "/extensions":
            self.answer([MOUNT + file.relative_to(WEB).as_posix() for file in sorted(WEB.rglob("*.js"))])
        elif path == "/object_info":
            self.answer({node_id: definition(node_id) for node_id in clip_grid.NODE_CLASS_MAPPINGS})
        elif path == "/view":
            self.answer_file(viewed(self.site.host, self.path))
        elif path.startswith(MOUNT):
            self.answer_file(WEB / path.removeprefix(MOUNT))
        else:
            self.answer_file(STUB / (path.lstrip("/") or "index.html"))

    def do_POST(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/api")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.site.posted.append((path, json.loads(body)))
        if self.site.is_down:
            self.send_error(503)
        elif path == "/prompt":
            self.answer({"prompt_id": "run", "number": 1, "node_errors": {}})
        elif path == "/clip_grid/plan":
            code, told = plan_answer(body, self.headers)
            self.answer(told, code)
        else:
            self.send_error(404)

    def answer(self, told: object, code: int = 200) -> None:
        self.send(code, "application/json", json.dumps(told).encode())

    def answer_file(self, file: Path) -> None:
        if file.is_file():
            self.send(
                200, TYPES.get(file.suffix) or guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()
            )
        else:
            self.send_error(404)

    def send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(host: FakeHost) -> Iterator[Site]:
    """The site of that host, on a free port of this machine."""
    site = Site(host)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site})) as server:
        # a browser that is gone leaves its connections behind
        server.daemon_threads = True
        server.handle_error = lambda *args: None
        site.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def definition(node_id: str) -> dict[str, Any]:
    """What ComfyUI's /object_info says of one of our nodes."""
    node = clip_grid.NODE_CLASS_MAPPINGS[node_id]
    inputs = {kind: given for kind, given in node.INPUT_TYPES().items() if kind != "hidden"}
    told = {"input": inputs, "input_order": {kind: list(given) for kind, given in inputs.items()}}
    told |= {"output": list(node.RETURN_TYPES), "output_node": getattr(node, "OUTPUT_NODE", False), "name": node_id}
    return told | {
        "display_name": clip_grid.NODE_DISPLAY_NAME_MAPPINGS[node_id],
        "python_module": "custom_nodes.ComfyUI-CLIP-Grid",
        "category": node.CATEGORY,
    }


def viewed(host: FakeHost, path: str) -> Path:
    """The file that a picture's address means."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    folder = {"input": host.folders.input, "temp": host.folders.temp}.get(asked.get("type", ""), host.folders.output)
    return folder / asked.get("subfolder", "") / asked.get("filename", "nothing")
