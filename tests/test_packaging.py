"""The wheel: built from a copy of the checkout, unpacked, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_THE_PACKAGE = shutil.ignore_patterns(".git", "build", "*.egg-info", ".venv", "venv", "__pycache__", ".*_cache")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout; setuptools is asked directly, so that no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "a copy-of-it"
    shutil.copytree(ROOT, source, ignore=NOT_THE_PACKAGE)
    build = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def test_the_wheel_holds_every_module_and_data_file(wheel: Path):
    packed = {name.removeprefix("clip_grid/") for name in zipfile.ZipFile(wheel).namelist()}

    folders = ("grid", "nodes", "clip_backend", "web", "locales", "example_workflows")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in [*files, *ROOT.glob("*.py"), ROOT / "py.typed"]}
    assert {name for name in wanted if "__pycache__" not in name} - packed == set()


def test_the_wheel_leaves_out_tests_and_benchmarks(wheel: Path):
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if re.search(r"(^|/)(tests|benchmarks)/", name)]


def test_an_unpacked_wheel_makes_a_sheet(wheel: Path, tmp_path: Path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    command = [sys.executable, "-m", "clip_grid", "demo", "out"]

    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "table.png").stat().st_size > 100_000


def test_both_commands_are_in_the_wheel(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    entry_points = archive.read(next(name for name in archive.namelist() if name.endswith("entry_points.txt"))).decode()

    assert "clip-grid = clip_grid.cli:main" in entry_points
    assert "labeled-grid-exporter = clip_grid.cli:labeled_grid_exporter" in entry_points


def test_requirements_are_the_dependencies_without_upper_bounds():
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^dependencies = \[(.*?)\]", pyproject, re.MULTILINE | re.DOTALL)
    assert listed

    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    requirements = [line for line in lines if not line.startswith("#")]

    assert requirements == re.findall(r'"([^"]+)"', listed[1])
    assert not [line for line in requirements if re.search(r"==|<|~=|torch|opencv", line)]


#: What ComfyUI 0.3.64 requires of the packages that compute.
COMFYUI = {"torch": "", "transformers": ">=4.37.2", "tokenizers": ">=0.13.3", "safetensors": ">=0.4.2"}
#: The first versions without known ways to run code from a model file: CVE-2025-32434; CVE-2024-11392 to 11394.
SAFE = {"torch": (2, 6, 0), "transformers": (4, 48, 0)}


def test_torch_and_transformers_are_new_enough_to_be_safe_and_never_too_new_for_comfyui():
    listed = re.search(r"^clip = \[(.*?)\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert listed
    bounds = dict(re.findall(r'"([a-z]+)([^"]*)"', listed[1]))

    assert bounds.keys() == COMFYUI.keys()
    for name, least in SAFE.items():
        assert tuple(map(int, bounds[name].removeprefix(">=").split("."))) >= least
    # two lower bounds always have versions in common
    assert all(re.fullmatch(r"(>=[\d.]+)?", bound) for bound in (*bounds.values(), *COMFYUI.values()))
