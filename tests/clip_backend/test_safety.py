"""No file of a user's is ever run: what could do it stands nowhere in the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path for top in ("*.py", "clip_backend/**/*.py", "grid/**/*.py", "nodes/**/*.py") for path in ROOT.glob(top)
)
#: Calls that run what they are given, or unpickle it.
RUNNING = {
    "eval",
    "exec",
    "pickle.load",
    "pickle.loads",
    "dill.load",
    "joblib.load",
    "torch.jit.load",
    "torch.hub.load",
}
#: Arguments that open a door, and the one value that leaves it shut.
DOORS = {"trust_remote_code": False, "weights_only": True, "allow_pickle": False}


def calls(path):
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def dangers(call):
    name = ast.unparse(call.func)
    if name in RUNNING:
        yield f"{name} in line {call.lineno}"
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    for door, shut in DOORS.items():
        value = given.get(door)
        if isinstance(value, ast.Constant) and value.value is not shut:
            yield f"{door}={value.value} in line {call.lineno}"
    if name == "torch.load" and "weights_only" not in given:
        yield f"torch.load without weights_only in line {call.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_of_a_file_is_run(path):
    assert [danger for call in calls(path) for danger in dangers(call)] == []


@pytest.mark.parametrize(
    "code",
    ["eval(x)", "pickle.load(f)", "torch.load(f)", "torch.load(f, weights_only=False)", "g(x, trust_remote_code=True)"],
)
def test_the_check_above_sees_what_is_dangerous(code):
    assert list(dangers(ast.parse(code).body[0].value))
