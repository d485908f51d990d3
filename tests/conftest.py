"""Import the checkout the way ComfyUI imports a pack: from its folder, whatever that folder is called."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# how long an example takes says more about the machine than about the code
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# with a worker on each core, threads of torch would only take turns
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# no test writes into the cache of who runs it; one that is about the cache names a folder of its own
os.environ["CLIP_GRID_CACHE"] = "off"

ROOT = Path(__file__).resolve().parent.parent

if "clip_grid" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "clip_grid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec and spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules["clip_grid"] = package
    spec.loader.exec_module(package)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests in the real thing need; without it they are skipped, and say so.

    Written with "=": a folder after a space is taken for a place of tests before these options are known.
    """
    add = parser.getgroup("clip grid").addoption
    add("--comfyui", type=Path, metavar="PATH", help="ComfyUI's folder: the tests in tests/comfyui run in it")
    add("--comfyui-python", type=Path, metavar="PATH", default=sys.executable, help="the Python that ComfyUI runs on")
    add("--front-end-root", type=Path, metavar="DIR", help="another of ComfyUI's front ends: its static folder")
    add("--chromium", type=Path, metavar="PATH", help="the browser; else $CHROMIUM, else /usr/bin/chromium")
    add("--artefacts", type=Path, metavar="DIR", help="where screenshots and logs are kept")


@pytest.fixture(scope="session")
def artefacts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots and logs."""
    folder = request.config.getoption("--artefacts") or tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@pytest.fixture
def bound_by_permissions() -> Iterator[None]:
    """Permission bits bind the test, even if root runs it."""
    from .permissions import bound_by_permissions

    with bound_by_permissions():
        yield


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Playwright's handle of a real browser; skips, saying why, where there is none."""
    from .real_browser import launched

    with launched(request.config.getoption("--chromium")) as browser:
        yield browser
