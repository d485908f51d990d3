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


@pytest.fixture
def site(host: FakeHost) -> Iterator[Site]:
    """The stub's server."""
    with served(host) as site:
        yield site


@pytest.fixture
def page_of(
    chromium: Any, site: Site, artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., OpenPage]]:
    """Opens the stub with these nodes on it; errors in its console, uncaught ones and failed requests fail the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    trouble = Trouble()

    def opened(*types: str, locale: str = "en") -> OpenPage:
        page = context.new_page()
        page.set_default_timeout(30_000)
        trouble.watch(page)
        stub = OpenPage(page, site, trouble, locale)
        stub.open()
        stub.ids = [stub.add(type) for type in types]
        return stub

    yield opened
    for page in context.pages:
        page.screenshot(path=artefacts / f"{request.node.name}.png")
    context.close()
    assert trouble.unexpected == []
