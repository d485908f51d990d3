"""The pictures of docs/recipes.md, made by its own commands.

    python -m tools.recipe_pictures

in the folder of the checkout makes all of them anew; it needs the packages of ``clip-grid[clip]``, scikit-image and a
POSIX shell.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "recipes.md"
#: The console command of this checkout, whatever its folder is called.
_COMMAND = """#!{python}
import importlib.util, sys
spec = importlib.util.spec_from_file_location("clip_grid", {init!r}, submodule_search_locations=[{root!r}])
sys.modules["clip_grid"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["clip_grid"])
from clip_grid.cli import main
sys.exit(main())
"""


def recipes() -> dict[str, str]:
    """The commands of each recipe by the name of the picture that they make; those without a picture under ""."""
    found = re.findall(r"^```sh\n(.*?)^```\n(?:\n!\[[^\]]+\]\(images/([^)]+)\))?", PAGE.read_text("utf-8"), re.M | re.S)
    return {picture: commands for commands, picture in found}


def make_pictures(commands: Sequence[str], folder: Path) -> None:
    """Run shell commands in a folder with clip-grid of this checkout; raises CalledProcessError for one that fails."""
    tools = folder / "bin"
    tools.mkdir()
    command = tools / "clip-grid"
    command.write_text(_COMMAND.format(python=sys.executable, init=str(ROOT / "__init__.py"), root=str(ROOT)), "utf-8")
    command.chmod(0o755)
    (tools / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
    (tools / "python").chmod(0o755)
    # one locale, so that files come in the same order everywhere
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=folder, env=env, check=True)


def main() -> None:
    """Make all pictures and put them beside the others of the documentation."""
    found = recipes()
    with tempfile.TemporaryDirectory() as folder:
        make_pictures([*found.values()], Path(folder))
        for name in filter(None, found):
            shutil.copyfile(Path(folder, name), PAGE.parent / "images" / name)


if __name__ == "__main__":
    main()
