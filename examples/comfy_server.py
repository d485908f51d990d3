"""A running ComfyUI: what a program asks it over HTTP. Needs nothing but Python's standard library."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

#: Node id -> {"class_type", "inputs"}: ComfyUI's API format.
Workflow = dict[str, Any]
#: Node id -> what the node showed.
Outputs = Mapping[str, Mapping[str, Any]]

#: Seconds that a single request may take.
REQUEST_S = 30.0


class ScoringError(Exception):
    """Why there are no scores; the message is meant for the user."""


class NoServer(ScoringError):
    """Nothing that answers as ComfyUI does."""


class Watcher(Protocol):
    """Passes the time until the next look into the history."""

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a while, or as soon as something is known to have changed."""


@dataclass(frozen=True)
class Server:
    """A running ComfyUI."""

    address: str
    #: Who asks: ComfyUI tells the events of a run to the client that submitted it.
    client: str = field(default_factory=lambda: uuid.uuid4().hex)

    def upload(self, picture: Path) -> str:
        """The name under which Load Image finds the picture."""
        try:
            content = picture.read_bytes()
        except OSError as error:
            raise ScoringError(f"it cannot be read: {error.strerror or error}") from error
        boundary = uuid.uuid4().hex
        kind = f"multipart/form-data; boundary={boundary}"
        told = self._ask("/upload/image", _form_file(picture.name, content, boundary), kind, wants="name")
        folder = told.get("subfolder")
        return f"{folder}/{told['name']}" if folder else str(told["name"])

    def submit(self, workflow: Workflow) -> str:
        """The id of the run, which begins when those before it are done."""
        body = json.dumps({"prompt": workflow, "client_id": self.client}).encode()
        told = self._ask("/prompt", body, "application/json", wants="prompt_id")
        if told.get("node_errors"):
            raise ScoringError("; ".join(_refusals(told)))
        return str(told["prompt_id"])

    def outputs(self, run: str, workflow: Workflow, timeout_s: float, watcher: Watcher) -> Outputs:
        """What the nodes of a run showed, once it is done."""
        ends = time.monotonic() + timeout_s
        while run not in (history := self._ask(f"/history/{quote(run)}")):
            if time.monotonic() >= ends:
                raise ScoringError(f"the run is not done after {timeout_s:g} s; give it longer with --timeout")
            watcher.wait(run, workflow)
        _check_events((history[run].get("status") or {}).get("messages", ()))
        outputs: Outputs = history[run]["outputs"]
        return outputs

    def runs_before(self, run: str) -> int | None:
        """How many runs wait before this one; None when it is running or done."""
        waiting = sorted(self._ask("/queue").get("queue_pending", ()), key=lambda entry: entry[0])
        places = [place for place, entry in enumerate(waiting) if entry[1] == run]
        return places[0] if places else None

    def _ask(self, path: str, body: bytes | None = None, kind: str = "", *, wants: str = "") -> dict[str, Any]:
        """The JSON that the server answers, which must hold what it ``wants``; a body is posted."""
        try:
            request = Request(self.address + path, body, {"Content-Type": kind} if kind else {})
            with urlopen(request, timeout=REQUEST_S) as answer:
                told = json.load(answer)
        except HTTPError as error:
            raise ScoringError(_refusal(path, error)) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoServer(f"no ComfyUI answers at {self.address} ({reason}); start it, or give --server") from error
        except ValueError:
            told = None
        if not isinstance(told, dict) or (wants and wants not in told):
            raise NoServer(f"{self.address}{path} does not answer as ComfyUI does; check --server")
        return told


def _check_events(events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for event, told in events:
        if event == "execution_error":
            raise ScoringError(f"{_node(told['node_id'], told['node_type'])}: {told['exception_message'].strip()}")
        if event == "execution_interrupted":
            raise ScoringError("the run was interrupted")


def _form_file(name: str, content: bytes, boundary: str) -> bytes:
    """The body of a form whose field ``image`` is a file."""
    safe = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{safe}"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    return (head + kind).encode("utf-8", "replace") + content + f"\r\n--{boundary}--\r\n".encode()


def _refusal(path: str, error: HTTPError) -> str:
    """Why the server would not do it."""
    try:
        with error:
            told = json.load(error)
    except (OSError, ValueError):
        told = {}
    reasons = list(_refusals(told)) if isinstance(told, dict) else []
    return "; ".join(reasons) or f"ComfyUI refuses {path}: {error.code} {error.reason}"


def _refusals(told: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a workflow: each node's errors, or what is said of the whole."""
    found = False
    for number, node in (told.get("node_errors") or {}).items():
        for one in node["errors"]:
            found = True
            yield f"{_node(number, node.get('class_type'))}: {_message(one)}"
    if not found and isinstance(error := told.get("error"), dict):
        yield _message(error)


def _message(error: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (error.get("message"), error.get("details"))))


def _node(number: object, kind: object) -> str:
    return f"node {number} ({kind})"
