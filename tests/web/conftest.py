"""Pages of the stub in a real browser; an error on a page fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost

from ..real_browser import Trouble
from .open_page import OpenPage
from .site import Site, served


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """The host of the nodes, whose folders the page sees."""
    fake = FakeHost(tmp_path)
    before = set_host(fake)
    yield fake
    set_host(before)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The stub's server: one address for all tests, so that the browser keeps the extension's files."""
    with served(FakeHost(tmp_path_factory.mktemp("host"))) as site:
        yield site


@pytest.fixture
def site(host: FakeHost, server: Site) -> Site:
    """The server, with the folders of this test's host, and with nothing posted yet."""
    server.start_over(host)
    return server


@pytest.fixture(scope="session")
def window(chromium: Any) -> Iterator[Any]:
    """The browser's window: a new one would take longer than most tests."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    # the first test waits for the browser to start and to read every module
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.fixture
def page_of(
    window: Any, site: Site, artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., OpenPage]]:
    """Opens the stub with these nodes on it; errors in its console, uncaught ones and failed requests fail the test."""
    trouble = Trouble()
    opened: list[Any] = []

    def open_stub(*types: str, locale: str = "en") -> OpenPage:
        page = window.context.new_page() if opened else window
        opened.append(page)
        trouble.watch(page)
        page.mouse.move(0, 0)
        stub = OpenPage(page, site, trouble, locale)
        stub.open()
        stub.ids = [stub.add(type) for type in types]
        return stub

    yield open_stub
    for page in opened:
        if request.config.getoption("--artefacts"):
            page.screenshot(path=artefacts / f"{request.node.name}.png")
        # what the page still does is part of this test, not of the next one
        page.goto("about:blank")
        trouble.unwatch(page)
        if page is not window:
            page.close()
    assert trouble.unexpected == []
