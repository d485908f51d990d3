"""The progress of a run, from ComfyUI's websocket if the package ``websockets`` is installed, else from its queue."""

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

#: Seconds between two requests for the history.
PAUSE_S = 0.5
#: Shows a line of text.
Show = Callable[[str], None]


@contextmanager
def watching(server: Server, show: Show) -> Iterator[Watcher]:
    """A watcher for runs, over a websocket if one can be opened."""
    polling = Polling(server, show)
    if connect is None:
        yield polling
        return
    address = server.address.replace("http", "ws", 1)
    try:
        socket = connect(f"{address}/ws?clientId={server.client}", open_timeout=10, max_size=None)
    except (OSError, WebSocketException, ValueError):
        # a proxy may allow no websockets
        yield polling
        return
    with socket:
        yield Socket(socket, polling, show)


class Polling:
    """Shows the place of a run in the queue."""

    def __init__(self, server: Server, show: Show) -> None:
        self._server = server
        self._show = show
        self._last = ""

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a pause."""
        before = self._server.runs_before(run)
        line = "running" if before is None else "waiting, next" if before == 0 else f"waiting, {before} before it"
        if line != self._last:
            self._last = line
            self._show(line)
        time.sleep(PAUSE_S)


class Socket:
    """Shows each node that starts, and a line for each quarter of its steps."""

    def __init__(self, socket: Any, polling: Polling, show: Show) -> None:
        self._socket = socket
        self._polling = polling
        self._show = show
        self._is_lost = False

    def wait(self, run: str, workflow: Workflow) -> None:
        """Returns after a pause, and at once when the run is over."""
        if self._is_lost:
            self._polling.wait(run, workflow)
            return
        ends = time.monotonic() + PAUSE_S
        try:
            while (left := ends - time.monotonic()) > 0:
                if self._handle(self._socket.recv(timeout=left), run, workflow):
                    return
        except TimeoutError:
            return
        except WebSocketException:
            self._is_lost = True

    def _handle(self, message: str | bytes, run: str, workflow: Workflow) -> bool:
        """Show an event, and whether it ends the run. Previews come as bytes."""
        event = json.loads(message) if isinstance(message, str) else {}
        data = event.get("data") or {}
        if data.get("prompt_id") != run:
            return False
        if event["type"] == "executing" and data.get("node"):
            self._show(_name(workflow, data["node"]))
        elif event["type"] == "progress" and _is_quarter(data):
            self._show(f"{_name(workflow, data.get('node'))}: {data['value']} of {data['max']}")
        return event["type"] == "executing" and not data.get("node")


def _is_quarter(data: Mapping[str, Any]) -> bool:
    """Whether this step is the first one of a quarter, so that a long node shows four lines."""
    value, most = int(data["value"]), int(data["max"])
    return most > 1 and 4 * value // most > 4 * (value - 1) // most


def _name(workflow: Workflow, node: object) -> str:
    """The title or type of a node; its number for one that was created during the run."""
    known = workflow.get(str(node), {})
    return (known.get("_meta") or {}).get("title") or known.get("class_type") or f"node {node}"
