"""Training of the bundled model shapes-demo; it is no part of the wheel.

    python -m tools.shapes_demo.train OUT

in the folder of the checkout trains a model and writes it into the folder OUT; it needs the packages of
``clip-grid[clip]``. ``evaluate.py`` measures a model. What the model in the pack knows, and how it was trained, stands
in ``clip_backend/shapes_demo/__init__.py``.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "clip_grid" not in sys.modules:
    # the checkout is the package clip_grid, whatever its folder is called
    _root = Path(__file__).resolve().parents[2]
    _spec = importlib.util.spec_from_file_location(
        "clip_grid", _root / "__init__.py", submodule_search_locations=[str(_root)]
    )
    assert _spec and _spec.loader
    sys.modules["clip_grid"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["clip_grid"])
