"""Runs checks in ComfyUI's own Python, in its folder: ``python run_checks.py MODULE [PART OF NAME]``.

Prints one JSON line per check.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main(module: str, part: str = "") -> None:
    """Run the functions of the module whose names begin with ``check_`` and contain the part."""
    sys.argv = [sys.argv[0], "--cpu"]
    sys.path[:0] = [str(Path.cwd()), str(Path(__file__).parent), str(ROOT / "tests" / "clip_backend" / "ip_adapter")]
    import comfy.options

    comfy.options.enable_args_parsing()
    spec = importlib.util.spec_from_file_location(
        "clip_grid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec
    assert spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules["clip_grid"] = package
    spec.loader.exec_module(package)
    checks = importlib.import_module(module)
    for name in [name for name in vars(checks) if name.startswith("check_") and part in name]:
        started, error = time.perf_counter(), ""
        try:
            getattr(checks, name)()
        except Exception:
            error = traceback.format_exc()
        print(json.dumps({"check": name, "error": error, "seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
