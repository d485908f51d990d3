"""A real ComfyUI, given by --comfyui, with this pack in it; without one, the tests here are skipped."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from .front_end import FrontEnd
from .inputs import draw_inputs
from .server import Server, make_base

Starter = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Starter:
    """A function that starts a server with flags and further packs; its log goes into the artefacts folder."""
    option = request.config.getoption
    comfyui, front_end_root = option("--comfyui"), option("--front-end-root")
    if comfyui is None:
        pytest.skip("these tests run in a real ComfyUI: give its folder with --comfyui PATH")

    @contextmanager
    def start(*flags: str, packs: Sequence[Path] = ()) -> Iterator[Server]:
        base = tmp_path_factory.mktemp("base") / "of comfyui"
        make_base(base)
        for pack in packs:
            shutil.copytree(pack, base / "custom_nodes" / pack.name)
        draw_inputs(base / "input")
        server = Server(
            comfyui=comfyui.resolve(),
            python=option("--comfyui-python"),
            base=base,
            log=artefacts / f"comfyui{''.join([*flags, *(f'-{pack.name}' for pack in packs)])}.log",
            flags=flags,
            front_end_root=front_end_root and front_end_root.resolve(),
        )
        server.log.unlink(missing_ok=True)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    return start


@pytest.fixture(scope="session")
def comfy(started: Starter) -> Iterator[Server]:
    """The server without flags."""
    with started() as server:
        yield server


@pytest.fixture
def page_of(chromium: Any, artefacts: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., FrontEnd]]:
    """A function that opens a server's page; errors in its console and failed requests that are ours fail the test."""
    context = chromium.new_context(viewport={"width": 1600, "height": 1000}, accept_downloads=True)
    opened: list[FrontEnd] = []

    def open_page(server: Server, *, is_vue: bool = False) -> FrontEnd:
        name = re.sub(r"\W+", "_", request.node.name).strip("_")
        folder = artefacts / name
        folder.mkdir(exist_ok=True)
        front_end = FrontEnd(context.new_page(), server, folder)
        opened.append(front_end)
        front_end.open(is_vue=is_vue)
        return front_end

    yield open_page
    for one in opened:
        one.shot("last")
        (one.artefacts / "trouble.txt").write_text("\n\n".join(one.trouble.seen), "utf-8")
    context.close()
    assert [trouble for one in opened for trouble in one.trouble.unexpected] == []


@pytest.fixture
def front_end(comfy: Server, page_of: Callable[..., FrontEnd]) -> FrontEnd:
    """The page of the shared server."""
    return page_of(comfy)
