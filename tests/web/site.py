"""A server of the stub page, of the extension's real files, and of the images in a host's folders."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import clip_grid
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.routes import search
from clip_grid.nodes.routes.handler import plan_answer

STUB = Path(__file__).resolve().parent / "stub"
PACK = Path(clip_grid.__file__).parent
WEB = PACK / "web"
MOUNT = "/extensions/ComfyUI-CLIP-Grid/"
TYPES = {".js": "text/javascript", ".mjs": "text/javascript"}


@dataclass
class Site:
    """What is served, and what the page has posted."""

    host: FakeHost
    port: int = 0
    #: The path and the body of each POST request.
    posted: list[tuple[str, Any]] = field(default_factory=list)
    #: Answer every request as a server does that is starting.
    is_down: bool = False
    #: Whether there is /i18n; older servers lack it.
    has_translations: bool = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_over(self, host: FakeHost) -> None:
        """Serve another host, as if nothing had been asked."""
        self.host, self.is_down, self.has_translations = host, False, True
        self.posted.clear()

    def queued(self) -> list[dict[str, Any]]:
        """The workflows in API format that were queued."""
        return [body["prompt"] for path, body in self.posted if path == "/prompt"]


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # headers and body are sent one after the other, which the other end would else wait 40 ms to acknowledge
    disable_nagle_algorithm = True
    site: Site

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/api")
        if self.site.is_down:
            self.send_error(503)
        elif path == "/extensions":
            self.send_json([MOUNT + file.relative_to(WEB).as_posix() for file in sorted(WEB.rglob("*.js"))])
        elif path == "/object_info":
            self.send_json({node_id: object_info(node_id) for node_id in clip_grid.NODE_CLASS_MAPPINGS})
        elif path == "/i18n" and self.site.has_translations:
            self.send_json(translations())
        elif path.startswith("/clip_grid/"):
            self.send_clip_grid(path)
        elif path == "/view":
            self.send_file(viewed_file(self.site.host, self.path))
        elif path.startswith(MOUNT):
            self.send_file(WEB / path.removeprefix(MOUNT), keep=True)
        else:
            self.send_file(STUB / (path.lstrip("/") or "index.html"), keep=True)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/api")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.site.posted.append((path, json.loads(body) if body[:1] in b"{[" else body))
        if self.site.is_down:
            self.send_error(503)
        elif path == "/prompt":
            self.send_json({"prompt_id": "run", "number": 1, "node_errors": {}})
        elif path == "/clip_grid/plan":
            status, answer = plan_answer(body, self.headers)
            self.send_json(answer, status)
        elif path == "/clip_grid/search":
            asked = search.read_search(body, self.headers)
            status, answer = asked if isinstance(asked, tuple) else search.search_answer(asked)
            self.send_json(answer, status)
        elif path == "/clip_grid/search/picture":
            name, data = form_field(self.headers, body)
            self.send_json(search.dropped_answer(data, name)[1])
        elif path == "/clip_grid/search/sheet":
            self.send_json(search.sheet_answer(body, self.headers)[1])
        elif path.startswith("/clip_grid/index/"):
            self.send_json(search.indexing_answer({"update": "start", "stop": "stop"}[path[17:]], self.headers)[1])
        else:
            self.send_error(404)

    def send_clip_grid(self, path: str) -> None:
        name, _, id = path.removeprefix("/clip_grid/").partition("/")
        if name == "thumbnail":
            status, headers, body = search.thumbnail_answer(int(id), self.headers)
            self.send(status, headers.get("Content-Type", "text/plain"), body)
        else:
            answer = (
                search.status_answer(self.headers) if name == "index" else search.picture_answer(int(id), self.headers)
            )
            self.send_json(answer[1], answer[0])

    def send_json(self, value: object, status: int = 200) -> None:
        self.send(status, "application/json", json.dumps(value).encode())

    def send_file(self, file: Path, *, keep: bool = False) -> None:
        if not file.is_file():
            self.send_error(404)
            return
        kind = TYPES.get(file.suffix) or guess_type(file.name)[0] or "application/octet-stream"
        self.send(200, kind, file.read_bytes(), keep=keep)

    def send(self, status: int, kind: str, body: bytes, *, keep: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # files of the checkout stay the same while the tests run
        self.send_header("Cache-Control", "max-age=3600" if keep else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(host: FakeHost) -> Iterator[Site]:
    """The site of that host, on a free port of this machine."""
    site = Site(host)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site})) as server:
        # a browser that is closed leaves its connections open
        server.daemon_threads = True
        server.handle_error = lambda *args: None
        site.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def object_info(node_id: str) -> dict[str, Any]:
    """What ComfyUI's /object_info has for one of our nodes."""
    node = clip_grid.NODE_CLASS_MAPPINGS[node_id]
    inputs = {kind: options for kind, options in node.INPUT_TYPES().items() if kind != "hidden"}
    return {
        "input": inputs,
        "input_order": {kind: list(options) for kind, options in inputs.items()},
        "output": list(node.RETURN_TYPES),
        "output_node": getattr(node, "OUTPUT_NODE", False),
        "name": node_id,
        "display_name": clip_grid.NODE_DISPLAY_NAME_MAPPINGS[node_id],
        "python_module": "custom_nodes.ComfyUI-CLIP-Grid",
        "category": node.CATEGORY,
    }


@cache
def translations() -> dict[str, dict[str, Any]]:
    """What ComfyUI's /i18n has of our locales: main.json, and each of the other files under its name."""
    answer = {}
    for folder in (PACK / "locales").iterdir():
        files = {file.stem: json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")}
        answer[folder.name] = files.pop("main") | files
    return answer


def form_field(headers: Any, body: bytes) -> tuple[str, bytes]:
    """File name and bytes of the one field of a form."""
    kind = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    (part,) = BytesParser(policy=HTTP).parsebytes(kind + body).iter_parts()
    return part.get_filename() or "", part.get_payload(decode=True)


def viewed_file(host: FakeHost, path: str) -> Path:
    """The file that an address of /view stands for."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    folder = {"input": host.folders.input, "temp": host.folders.temp}.get(query.get("type", ""), host.folders.output)
    return folder / query.get("subfolder", "") / query.get("filename", "nothing")
