"""A headless Chromium, and pages of it that remember what went wrong on them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytest

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


@contextmanager
def launched(path: Path | None) -> Iterator[Any]:
    """The browser at the path, or where Debian puts it; the test is skipped where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install 'clip-grid[browser]'")
    found = path or Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
    if not found.exists():
        missing(f"there is no Chromium at {found}: apt-get install chromium, or give --chromium PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, timeout=60_000)
        yield browser
        browser.close()


def missing(why: str) -> NoReturn:
    """Skip the test; fail it where the browser was promised."""
    if os.environ.get("CLIP_GRID_REQUIRE_BROWSER") == "1":
        pytest.fail(why)
    pytest.skip(why)


@dataclass
class Trouble:
    """What went wrong on a page: errors in its console, errors that nobody caught, requests that failed."""

    #: What is looked for in each; nothing else counts.
    ours: str = ""
    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Take note of everything from now on; the console also names each answer that is an error."""
        for event, take in self._listeners.items():
            page.on(event, take)

    def unwatch(self, page: Any) -> None:
        """Take no more notes."""
        for event, take in self._listeners.items():
            page.remove_listener(event, take)

    @cached_property
    def _listeners(self) -> dict[str, Callable[[Any], None]]:
        return {"console": self._console, "pageerror": self._uncaught, "requestfailed": self._failed}

    def expect(self, *patterns: str) -> None:
        """These are part of the test."""
        self.expected.extend(patterns)

    @property
    def unexpected(self) -> list[str]:
        """What counts, and was not expected."""
        counted = [one for one in self.seen if re.search(self.ours, one)]
        return [one for one in counted if not any(re.search(pattern, one) for pattern in self.expected)]

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text} at {(message.location or {}).get('url', '')}")

    def _uncaught(self, error: Any) -> None:
        self.seen.append(f"page error: {error.message}\n{error.stack or ''}")

    def _failed(self, request: Any) -> None:
        # a page that is left gives up what it was loading
        if request.failure != "net::ERR_ABORTED":
            self.seen.append(f"no answer: {request.url} {request.failure}")
