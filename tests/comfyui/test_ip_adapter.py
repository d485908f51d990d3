"""Adapters on tiny UNets and a tiny FLUX of the real ComfyUI, given by --comfyui; the checks run in its own Python."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "ip_adapter"
MODULES = sorted(path.stem for path in FOLDER.glob("checks_*.py"))
CHECKS = [
    (module, node.name)
    for module in MODULES
    for node in ast.parse((FOLDER / f"{module}.py").read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]


@cache
def errors_of(module: str, comfyui: Path, python: str) -> dict[str, str]:
    """What went wrong in each check of a module; empty where nothing did."""
    run = subprocess.run(
        [python, FOLDER / "run_checks.py", module],
        cwd=comfyui,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"check"')]
    return {line["check"]: line["error"] for line in lines} or {"": run.stderr[-3000:]}


@pytest.mark.parametrize(("module", "name"), CHECKS)
def test_in_comfyui(module, name, request):
    comfyui = request.config.getoption("--comfyui")
    if comfyui is None:
        pytest.skip("these checks run in a real ComfyUI: give its folder with --comfyui PATH")

    errors = errors_of(module, comfyui.resolve(), str(request.config.getoption("--comfyui-python")))

    assert errors.get(name, errors.get("", "it did not run")) == ""
