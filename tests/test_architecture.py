from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clip_grid.grid.template import built_in_templates

ROOT = Path(__file__).resolve().parent.parent
#: Folders beside the package that are not part of it.
OUTSIDE = {"tests", "assets", "benchmarks", "examples", "tools", "docs"}
#: What only ComfyUI provides.
HOST_MODULES = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "node_helpers"}
HOST_MODULES |= {"nodes", "server"}

#: The layers; a module may import from layers below its own and from its own package.
LAYERS = {
    "visible_text": -1,
    "plurals": -1,
    "decoding": -1,
    "errors": 0,
    "interrupts": 0,
    "png_chunks": 0,
    "json_text": 1,
    "log": 1,
    "input_files": 1,
    "foreign_pictures": 1,
    "color_profiles": 1,
    "mending": 1,
    "arrays": 1,
    "frames": 1,
    "png_pixels": 1,
    "options": 2,
    "imaging": 2,
    "atomic": 2,
    "csv_cells": 2,
    "grid": 3,
    "clip_backend": 3,
    "api": 4,
    "commands": 5,
    "nodes": 5,
    "cli": 6,
}
#: Packages whose sub-packages are checked for circles among each other.
DIVIDED = ("grid", "clip_backend", "nodes")


def module_files() -> list[Path]:
    """Every module of the package, as paths below its root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return sorted(path for path in found if path.parts[0] not in OUTSIDE and not hidden(path))


def hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) and part not in ("__init__.py", "__main__.py") for part in path.parts) or (
        path.parts[0] in ("build", "dist", "venv", "node_modules", "clip-grid-demo")
    )


MODULES = module_files()


def name_of(path: Path) -> tuple[str, ...]:
    """The parts of a module's name below the package."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(path: Path, *, at_import_time: bool = False) -> Iterator[tuple[int, str, int, bool]]:
    """(level of dots, module, line, inside a function) of each import, or only of those that run on import."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    for node, deferred, typing_only in walk(tree):
        if at_import_time and (deferred or typing_only):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, node.lineno, deferred
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.level, node.module, node.lineno, deferred
            else:
                for alias in node.names:
                    yield node.level, alias.name, node.lineno, deferred


def walk(node: ast.AST, deferred: bool = False, typing_only: bool = False) -> Iterator[tuple[ast.AST, bool, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = deferred or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        checking = typing_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield child, inside, checking
        yield from walk(child, inside, checking)


def ours(path: Path, *, at_import_time: bool = False) -> Iterator[tuple[tuple[str, ...], int]]:
    """The modules of the package that a module imports, with the line."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path)[:-1]
    for level, module, line, _ in imports_of(path, at_import_time=at_import_time):
        if level:
            base = package[: len(package) - level + 1]
            yield (*base, *module.split(".")), line


def file_of(name: tuple[str, ...]) -> Path | None:
    """The file of a module, or of the package that holds the imported name."""
    for candidate in (Path(*name).with_suffix(".py"), Path(*name) / "__init__.py"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


def top_package(name: tuple[str, ...]) -> str:
    return name[0] if name else ""


def package_of(path: Path) -> tuple[str, ...]:
    """The package that a module counts to: a sub-package where there are some, else a top package or single module."""
    name = name_of(path)
    depth = 2 if name and name[0] in DIVIDED else 1
    return name[:depth]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_package_imports_itself_relatively(path):
    absolute = [(module, line) for level, module, line, _ in imports_of(path) if not level]

    assert [entry for entry in absolute if entry[0].split(".")[0] == "clip_grid"] == []
    own = {part.stem for part in MODULES if len(part.parts) == 1} | {part.parts[0] for part in MODULES}
    assert [entry for entry in absolute if entry[0].split(".")[0] in own - {"__init__", "nodes"}] == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_relative_import_leads_to_a_module(path):
    for name, line in ours(path):
        assert file_of(name) or file_of(name[:-1]), f"{path}:{line} imports {'.'.join(name)}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_imports_a_layer_above_or_beside_its_own(path):
    here = top_package(name_of(path))
    if here not in LAYERS:
        assert path.name in ("__init__.py", "__main__.py")
        return
    for name, line in ours(path):
        there = top_package(name)
        lower = LAYERS.get(there, 99) < LAYERS[here]
        assert lower or there == here, f"{path}:{line} imports {'.'.join(name)}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "grid"], ids=str)
def test_grid_needs_the_layers_below_and_itself_alone(path):
    assert {top_package(name) for name, _ in ours(path)} <= {
        "errors",
        "color_profiles",
        "visible_text",
        "plurals",
        "input_files",
        "json_text",
        "foreign_pictures",
        "decoding",
        "png_chunks",
        "mending",
        "arrays",
        "frames",
        "png_pixels",
        "options",
        "imaging",
        "atomic",
        "csv_cells",
        "grid",
    }


#: Everything that is not in the standard library and may be imported by grid/.
GRID_PACKAGES = {"numpy", "PIL", "regex", "tqdm", "fpdf", "fontTools", "fontpkg_roboto", "isal", "charset_normalizer"}


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.parts[0] in ("grid", "imaging.py", "arrays.py", "frames.py", "png_pixels.py")],
    ids=str,
)
def test_grid_has_no_torch_and_few_packages(path):
    for level, module, line, _ in imports_of(path):
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or top in GRID_PACKAGES | {"_typeshed"}
        assert level or known, f"{path}:{line} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_optional_packages_are_imported_where_they_are_needed(path):
    optional = {"torch", "transformers", "safetensors", "tokenizers", "fpdf", "fontTools", "isal", "qdrant_client"}
    optional |= {"charset_normalizer", "av"}
    # in clip_backend torch stays in the few files that compute with it
    allowed = {"torch", "safetensors"} if path.parts[0] == "clip_backend" else set()
    for level, module, line, _ in imports_of(path, at_import_time=True):
        assert level or module.split(".")[0] not in optional - allowed, f"{path}:{line} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_comfyui_is_imported_by_one_file_alone(path):
    for level, module, line, _ in imports_of(path):
        is_host = not level and module.split(".")[0] in HOST_MODULES
        assert not is_host or path == Path("nodes/host/comfy.py"), f"{path}:{line} imports {module}"


def test_the_two_front_ends_do_not_import_each_other():
    for path in MODULES:
        seen = {top_package(name) for name, _ in ours(path)}
        assert not (path.parts[0] == "nodes" and seen & {"cli", "commands"}), path
        assert not (path.parts[0] in ("cli.py", "commands", "api") and "nodes" in seen), path


def circles(graph: dict[Any, set[Any]]) -> list[list[Any]]:
    """Each circle that a walk along the edges runs into, as the nodes in their order."""
    done: set[Any] = set()
    found: list[list[Any]] = []

    def visit(node: Any, trail: list[Any]) -> None:
        if node in trail:
            found.append([*trail[trail.index(node) :], node])
        elif node not in done:
            for following in sorted(graph.get(node, ())):
                visit(following, [*trail, node])
            done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return found


def test_no_module_imports_itself_by_way_of_others():
    graph = {path: {file for name, _ in ours(path, at_import_time=True) if (file := found(name))} for path in MODULES}

    assert circles(graph) == []


def test_no_package_imports_itself_by_way_of_others_even_inside_functions():
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for path in MODULES:
        if path.name in ("__init__.py", "__main__.py") and len(path.parts) == 1:
            continue
        here = package_of(path)
        imported = {package_of(file) for name, _ in ours(path) if (file := found(name))}
        graph.setdefault(here, set()).update(imported - {here})

    assert circles(graph) == []
    assert ("grid", "text") in graph


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def found(name: tuple[str, ...]) -> Path | None:
    return file_of(name) or file_of(name[:-1])


def test_the_checks_above_see_a_wrong_import(tmp_path, monkeypatch):
    source = "from ..api import x\nimport torch\ndef f():\n    import comfy.utils\nfrom . import b\n"
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "a.py").write_text(source)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)

    path = Path("grid/a.py")

    assert [name for name, _ in ours(path)] == [("api",), ("grid", "b")]
    assert [(module, inside) for level, module, _, inside in imports_of(path) if not level] == [
        ("torch", False),
        ("comfy.utils", True),
    ]
    assert "comfy.utils" not in [module for _, module, _, _ in imports_of(path, at_import_time=True)]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_hides_errors_or_prints(path):
    # commands by two functions that show names safely
    prints = path in (Path("cli.py"), Path("commands/output.py"))
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            reraised = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
            broad = caught in ("Exception", "BaseException", "everything")
            assert not broad or reraised, f"{path}:{node.lineno} catches {caught}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert prints, f"{path}:{node.lineno} prints"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_says_what_lives_in_it(path):
    tree = ast.parse((ROOT / path).read_text("utf-8"))

    assert ast.get_docstring(tree) or not tree.body


def test_importing_the_core_needs_no_torch_and_no_host():
    code = f"""
import importlib.util, sys
from pathlib import Path
root = Path({str(ROOT)!r})
spec = importlib.util.spec_from_file_location("clip_grid", root / "__init__.py", submodule_search_locations=[str(root)])
package = importlib.util.module_from_spec(spec)
sys.modules["clip_grid"] = package
spec.loader.exec_module(package)
import clip_grid.api, clip_grid.cli
print([name for name in ("torch", "transformers", "comfy", "fpdf", "folder_paths") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# what is shipped


def pyproject() -> dict[str, Any]:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_module_is_in_the_packages_of_the_wheel():
    listed = set(pyproject()["tool"]["setuptools"]["packages"])

    needed = {".".join(("clip_grid", *path.parts[:-1])) for path in MODULES}
    assert needed <= listed
    missing = [name for name in listed if not (ROOT / Path(*name.split(".")[1:])).is_dir()]
    assert missing == []


#: Files that belong to the repository and not to the package.
REPOSITORY_FILES = ("*.md", "LICENSE", "pyproject.toml", "requirements.txt", "install.py", "*.lock", "*.cfg", "*.log")


def test_every_data_file_of_the_package_is_in_the_wheel():
    tool = pyproject()["tool"]["setuptools"]
    packages = {Path(*name.split(".")[1:]): tool["package-data"].get(name, []) for name in tool["packages"]}
    for path in data_files():
        owner = next(parent for parent in path.parents if parent in packages)
        inner = path.relative_to(owner).as_posix()
        assert any(matches(inner, pattern) for pattern in packages[owner]), f"{path} is not in package-data"


def data_files() -> list[Path]:
    files = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    found = (path.relative_to(ROOT) for path in files)
    kept = (path for path in found if path.parts[0] not in OUTSIDE and not hidden(path))
    return [
        path
        for path in kept
        if "egg-info" not in path.parts[0]
        and not (len(path.parts) == 1 and any(fnmatch.fnmatch(path.name, pattern) for pattern in REPOSITORY_FILES))
    ]


def matches(path: str, pattern: str) -> bool:
    """Whether a path matches a glob of setuptools, in which ``**`` stands for any number of folders."""
    wildcards = {"**/": "(?:[^/]+/)*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*/|\*)", pattern)
    return re.fullmatch("".join(wildcards.get(piece, re.escape(piece)) for piece in pieces), path) is not None


def test_requirements_name_what_the_package_needs():
    file = ROOT / "requirements.txt"
    if not file.is_file():
        pytest.skip("there is no requirements.txt yet")
    lines = [line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines()]

    assert {line for line in lines if line} == set(pyproject()["project"]["dependencies"])
    assert not any("==" in line for line in lines)


def test_the_built_in_templates_load():
    assert len(built_in_templates()) >= 8
