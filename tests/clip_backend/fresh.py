"""A process of its own, with nothing imported but the package, and the world as it is or without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PACKAGE = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location(
    "clip_grid", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}]
)
sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
"""

#: Every socket of a process, even of one written in C, is first told to its audit hooks.
NO_NETWORK = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise PermissionError(f"no network here: {event} {arguments}")
sys.addaudithook(refuse)
"""


def start(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """The code runs with ``clip_grid`` at hand and its arguments in ``sys.argv``."""
    command = [sys.executable, "-c", _PACKAGE + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> object:
    """The JSON that it printed last, once it has ended well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])
