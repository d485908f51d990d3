"""The index brought up to date in a thread of its own, which pauses while ComfyUI runs a workflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any, Literal

from ...api.index import index_images
from ...clip_backend.search.update import IndexUpdate
from ...errors import ClipGridError
from ...imaging import Progress
from ...log import logger
from ..host.host import Host
from .models import indexing_choice

State = Literal["idle", "looking", "running", "paused", "stopping"]
#: Seconds between two looks whether the workflow is done.
_LOOK_S = 0.2


class Stopped(Exception):
    """The user stopped the update."""


@dataclass(frozen=True)
class Indexed:
    """How far an update is, and how the last one ended."""

    #: "looking": folders are compared with the index, or the model is loaded. "paused": a workflow runs.
    state: State = "idle"
    #: Pictures that were read, and those to read.
    done: int = 0
    total: int = 0
    #: Seconds of work, without pauses, since the first picture was read.
    seconds: float = 0.0
    #: Why the last update failed; empty if it did not.
    error: str = ""
    #: What the last update did; None if it failed or was stopped, or if there was none.
    result: IndexUpdate | None = None
    #: Counts the updates that ended.
    ended: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values, without paths."""
        shown = None
        if self.result:
            names = ("found", "unchanged", "computed", "known", "moved", "gone", "back", "left_out")
            shown = {name: getattr(self.result, name) for name in names} | {"failed": len(self.result.failed)}
        return vars(self) | {"result": shown}


class Indexing:
    """One update at a time of the index of ComfyUI's output and input folder."""

    def __init__(self, host: Host, update: Callable[..., IndexUpdate] = index_images) -> None:
        self._host = host
        self._update = update
        self._lock = Lock()
        self._thread: Thread | None = None
        self._last = Indexed()
        self._done = self._total = 0
        self._stop = Event()
        self._is_running = self._is_paused = self._again = False
        self._clock = _WorkClock()

    @property
    def now(self) -> Indexed:
        """How far it is."""
        with self._lock:
            if not self._is_running:
                return self._last
            state: State = "running" if self._total else "looking"
            state = "stopping" if self._stop.is_set() else "paused" if self._is_paused else state
            seconds = self._clock.seconds if self._total else 0.0
            return Indexed(state, self._done, self._total, seconds, ended=self._last.ended)

    def start(self) -> bool:
        """Starts an update; False if one is under way, which is then followed by another: there may be new files."""
        with self._lock:
            if self._is_running:
                self._again = not self._stop.is_set()
                return False
            self._is_running = True
            self._stop.clear()
            # a daemon: what it has finished is kept, so that ComfyUI may end at any time
            self._thread = Thread(target=self._run, name="clip_grid index", daemon=True)
            self._thread.start()
            return True

    def stop(self) -> None:
        """Ends the update within a batch; what is finished is kept."""
        with self._lock:
            self._again = False
            if self._is_running:
                self._stop.set()

    @contextmanager
    def held(self, check: Callable[[], None]) -> Iterator[Progress]:
        """A block in which no update of its own runs, so that the caller may write the index; gives what shows how far.

        One that is under way ends within a batch, and another one follows the block. check: called while that is waited
        for; what it raises keeps the block from beginning, and nothing follows.
        """
        is_due = self._taken(check)
        try:
            yield self._show
        finally:
            with self._lock:
                is_due, self._again, self._is_running = is_due or self._again, False, False
                self._last = Indexed(ended=self._last.ended + 1)
            if is_due:
                self.start()

    def _taken(self, check: Callable[[], None]) -> bool:
        """Waits until no update runs, and keeps others from starting; whether one was ended for that."""
        is_ended = False
        while True:
            with self._lock:
                if not self._is_running:
                    self._is_running, self._done, self._total = True, 0, 0
                    self._stop.clear()
                    return is_ended
                is_ended, self._again = True, False
                self._stop.set()
            self.join(_LOOK_S)
            check()

    def join(self, timeout: float | None = None) -> None:
        """Waits until the update has ended."""
        if thread := self._thread:
            thread.join(timeout)

    def _run(self) -> None:
        result, error, again = None, "an error of the program; ComfyUI's log has more", True
        while again:
            try:
                result, error = self._updated()
            finally:
                with self._lock:
                    again, self._again = self._again, False
                    self._is_running = again
                    self._last = Indexed(error=error, result=result, ended=self._last.ended + 1)

    def _updated(self) -> tuple[IndexUpdate | None, str]:
        """What one update did, and why it failed."""
        self._done = self._total = 0
        folders = [folder for folder in (self._host.folders.output, self._host.folders.input) if folder.is_dir()]
        try:
            self._wait()
            model = indexing_choice(self._host, self._wait)
            done = self._update(
                folders, index=self._host.index_folder, model=model, progress=self._show, wait=self._wait
            )
        except Stopped:
            return None, ""
        except (ClipGridError, OSError) as error:
            logger.warning("the index is not up to date: %s", error)
            return None, str(error)
        return done, ""

    def _show(self, done: int, total: int) -> None:
        with self._lock:
            if not self._total:
                self._clock = _WorkClock()
            self._done, self._total = done, total

    def _wait(self) -> None:
        """Returns once no workflow runs; raises Stopped if the user stops it."""
        while self._host.is_busy and not self._stop.is_set():
            self._pause(True)
            self._stop.wait(_LOOK_S)
        self._pause(False)
        if self._stop.is_set():
            raise Stopped

    def _pause(self, is_paused: bool) -> None:
        with self._lock:
            if self._is_paused != is_paused:
                self._is_paused = is_paused
                self._clock.turn(runs=not is_paused)


class _WorkClock:
    """Seconds of work, without those of pauses."""

    def __init__(self) -> None:
        self._worked, self._since, self._runs = 0.0, time.monotonic(), True

    @property
    def seconds(self) -> float:
        """How many so far."""
        return self._worked + (time.monotonic() - self._since if self._runs else 0.0)

    def turn(self, *, runs: bool) -> None:
        """Goes on, or stands still."""
        self._worked, self._since, self._runs = self.seconds, time.monotonic(), runs
