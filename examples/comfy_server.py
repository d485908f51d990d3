"""A client for a running ComfyUI, with Python's standard library alone."""

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
#: Node id -> the ui payload of the node.
Outputs = Mapping[str, Mapping[str, Any]]

#: Seconds until a request times out.
REQUEST_S = 30.0


class ScoringError(Exception):
    """There are no scores; the message is for the user."""


class NoServer(ScoringError):
    """No ComfyUI answers."""


class Watcher(Protocol):
    """Waits between two requests for the history."""

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a pause, or earlier if the run may have ended."""


@dataclass(frozen=True)
class Server:
    """A running ComfyUI."""

    address: str
    #: The id of this client: ComfyUI sends the events of a run to the client that submitted it.
    client: str = field(default_factory=lambda: uuid.uuid4().hex)

    def upload(self, picture: Path) -> str:
        """The name of the uploaded picture for Load Image."""
        try:
            content = picture.read_bytes()
        except OSError as error:
            raise ScoringError(f"it cannot be read: {error.strerror or error}") from error
        boundary = uuid.uuid4().hex
        kind = f"multipart/form-data; boundary={boundary}"
        answer = self._request("/upload/image", _form_file(picture.name, content, boundary), kind, needs="name")
        folder = answer.get("subfolder")
        return f"{folder}/{answer['name']}" if folder else str(answer["name"])

    def submit(self, workflow: Workflow) -> str:
        """The id of the queued run."""
        body = json.dumps({"prompt": workflow, "client_id": self.client}).encode()
        answer = self._request("/prompt", body, "application/json", needs="prompt_id")
        if answer.get("node_errors"):
            raise ScoringError("; ".join(_refusals(answer)))
        return str(answer["prompt_id"])

    def outputs(self, run: str, workflow: Workflow, timeout_s: float, watcher: Watcher) -> Outputs:
        """The ui payloads of a run, once it has ended; raises ScoringError if it failed or takes too long."""
        ends = time.monotonic() + timeout_s
        while run not in (history := self._request(f"/history/{quote(run)}")):
            if time.monotonic() >= ends:
                raise ScoringError(f"the run is not done after {timeout_s:g} s; give it longer with --timeout")
            watcher.wait(run, workflow)
        _check_events((history[run].get("status") or {}).get("messages", ()))
        outputs: Outputs = history[run]["outputs"]
        return outputs

    def runs_before(self, run: str) -> int | None:
        """The number of runs queued before this one; None if it is running or has ended."""
        waiting = sorted(self._request("/queue").get("queue_pending", ()), key=lambda entry: entry[0])
        places = [place for place, entry in enumerate(waiting) if entry[1] == run]
        return places[0] if places else None

    def _request(self, path: str, body: bytes | None = None, kind: str = "", *, needs: str = "") -> dict[str, Any]:
        """The JSON object that the server answers, with the key ``needs``; a body is sent by POST."""
        try:
            request = Request(self.address + path, body, {"Content-Type": kind} if kind else {})
            with urlopen(request, timeout=REQUEST_S) as response:
                answer = json.load(response)
        except HTTPError as error:
            raise ScoringError(_refusal(path, error)) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoServer(f"no ComfyUI answers at {self.address} ({reason}); start it, or give --server") from error
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or (needs and needs not in answer):
            raise NoServer(f"{self.address}{path} does not answer as ComfyUI does; check --server")
        return answer


def _check_events(events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for event, data in events:
        if event == "execution_error":
            raise ScoringError(f"{_node(data['node_id'], data['node_type'])}: {data['exception_message'].strip()}")
        if event == "execution_interrupted":
            raise ScoringError("the run was interrupted")


def _form_file(name: str, content: bytes, boundary: str) -> bytes:
    """A form with the file in its field ``image``."""
    safe = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{safe}"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    return (head + kind).encode("utf-8", "replace") + content + f"\r\n--{boundary}--\r\n".encode()


def _refusal(path: str, error: HTTPError) -> str:
    """The reasons in a response with an error status."""
    try:
        with error:
            answer = json.load(error)
    except (OSError, ValueError):
        answer = {}
    reasons = list(_refusals(answer)) if isinstance(answer, dict) else []
    return "; ".join(reasons) or f"ComfyUI refuses {path}: {error.code} {error.reason}"


def _refusals(answer: Mapping[str, Any]) -> Iterator[str]:
    """Why a workflow is refused: the errors of its nodes, or else that of the whole."""
    nodes = answer.get("node_errors") or {}
    if not any(node["errors"] for node in nodes.values()) and isinstance(error := answer.get("error"), dict):
        yield _message(error)
    for number, node in nodes.items():
        for error in node["errors"]:
            yield f"{_node(number, node.get('class_type'))}: {_message(error)}"


def _message(error: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (error.get("message"), error.get("details"))))


def _node(number: object, kind: object) -> str:
    return f"node {number} ({kind})"
