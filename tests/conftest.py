"""Import the checkout the way ComfyUI imports a pack: from its folder, whatever that folder is called."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import hypothesis

# how long an example takes says more about the machine than about the code
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

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
