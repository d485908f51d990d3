"""How far a run is: over ComfyUI's websocket if the package ``websockets`` is installed, else from its queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from comfy_server import Server, Watcher, Workflow

try:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect
except ImportError:
    connect = None

#: Seconds between two looks into the history.
PAUSE_S = 0.5
#: Takes a line for people.
Tell = Callable[[str], None]


@contextmanager
def watching(server: Server, tell: Tell) -> Iterator[Watcher]:
    """The best watcher there is, for as long as it is needed."""
    polling = Polling(server, tell)
    if connect is None:
        yield polling
        return
    address = server.address.replace("http", "ws", 1)
    try:
        socket = connect(f"{address}/ws?clientId={server.client}", open_timeout=10, max_size=None)
    except (OSError, WebSocketException, ValueError):
        # something between here and the server may let no websockets through
        yield polling
        return
    with socket:
        yield Socket(socket, polling, tell)


class Polling:
    """Tells what the queue says of a run."""

    def __init__(self, server: Server, tell: Tell) -> None:
        self._server = server
        self._tell = tell
        self._told = ""

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a pause."""
        before = self._server.runs_before(run)
        line = "running" if before is None else "waiting, next" if before == 0 else f"waiting, {before} before it"
        if line != self._told:
            self._told = line
            self._tell(line)
        time.sleep(PAUSE_S)


class Socket:
    """Tells each node that begins, and its steps in quarters."""

    def __init__(self, socket: Any, polling: Polling, tell: Tell) -> None:
        self._socket = socket
        self._polling = polling
        self._tell = tell
        self._is_lost = False

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a pause, and at once when the run is over."""
        if self._is_lost:
            self._polling.wait(run, workflow)
            return
        ends = time.monotonic() + PAUSE_S
        try:
            while (left := ends - time.monotonic()) > 0:
                if self._hear(self._socket.recv(timeout=left), run, workflow):
                    return
        except TimeoutError:
            return
        except WebSocketException:
            self._is_lost = True

    def _hear(self, message: str | bytes, run: str, workflow: Workflow) -> bool:
        """Whether the run is over. Previews come as bytes."""
        event = json.loads(message) if isinstance(message, str) else {}
        told = event.get("data") or {}
        if told.get("prompt_id") != run:
            return False
        if event["type"] == "executing" and told.get("node"):
            self._tell(_name(workflow, told["node"]))
        elif event["type"] == "progress" and _is_quarter(told):
            self._tell(f"{_name(workflow, told.get('node'))}: {told['value']} of {told['max']}")
        return event["type"] == "executing" and not told.get("node")


def _is_quarter(told: Mapping[str, Any]) -> bool:
    """Whether this step is the first one in its quarter, so that a long node tells four lines."""
    value, most = int(told["value"]), int(told["max"])
    return most > 1 and 4 * value // most > 4 * (value - 1) // most


def _name(workflow: Workflow, node: object) -> str:
    """A node as the user knows it; one that was made while the workflow ran is known by its number alone."""
    known = workflow.get(str(node), {})
    return (known.get("_meta") or {}).get("title") or known.get("class_type") or f"node {node}"
