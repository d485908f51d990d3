"""What holds for every command: its help, its cost, and that it needs no model to explain itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .drawn import Shell

ROOT = Path(__file__).resolve().parents[2]
LOADED = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("clip_grid", {str(ROOT / "__init__.py")!r},
                                              submodule_search_locations=[{str(ROOT)!r}])
sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from clip_grid.cli import main
"""
COMMANDS = (
    "export",
    "label",
    "match",
    "match-batch",
    "rank",
    "index",
    "search",
    "train",
    "evaluate",
    "export-model",
    "models",
    "check-model",
    "info",
    "templates",
    "demo",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_on_stdout_and_fits_a_terminal(shell: Shell, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")

    answer = shell(command, "--help")

    assert (answer.status, answer.err) == (0, "")
    usage, _, rest = answer.out.partition("\n\n")
    assert f"clip-grid {command}" in usage
    assert max(len(line) for line in rest.splitlines()) <= 100


def test_the_list_of_commands_names_all_of_them(shell: Shell):
    answer = shell("--help")

    assert answer.status == 0
    named = answer.out.partition("COMMAND\n")[2].partition("\n\nBegin")[0]
    assert [line.split()[0] for line in named.splitlines() if line[4:5].strip()] == list(COMMANDS)


@pytest.mark.parametrize("command", ["label", "match", "match-batch", "rank", "info"])
def test_every_command_that_looks_says_which_model_in_the_same_words(shell: Shell, command):
    shown = shell(command, "--help").out.partition("the model:\n")[2]

    assert shown == shell("label", "--help").out.partition("the model:\n")[2]
    assert {"--model", "--text-encoder", "--device", "--dtype", "--cache", "--no-cache", "--cache-size"} <= set(
        shown.split()
    )


def test_a_sheet_is_told_which_model_by_the_same_flags_as_labels(shell: Shell):
    def flags(command: str) -> list[str]:
        shown = shell(command, "--help").out.partition("the model:\n")[2].partition("\n\n")[0]
        return re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)

    assert flags("export") == flags("label")
    assert {"--model", "--text-encoder", "--device", "--download"} <= set(flags("export"))
    assert "--clip-model" in shell("export", "--help").out


def test_a_reader_who_has_seen_enough_is_no_error():
    code = LOADED + "sys.stdin.read()\nsys.exit(main(['templates']))"
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout and program.stdin and program.stderr
    program.stdout.close()
    program.stdin.close()
    with program.stderr:
        told = program.stderr.read()

    assert (program.wait(60), told) == (1, b"")


def test_a_sheet_and_help_import_neither_torch_nor_its_kin(tmp_path: Path):
    code = (
        LOADED
        + """
from PIL import Image
Image.new("RGB", (8, 8)).save("a.png")
status = main(["export", "a.png", "sheet.png", "--quiet"])
heavy = {"torch", "safetensors", "tokenizers", "transformers", "sklearn", "scipy"}
print(status, sorted(heavy & set(sys.modules)))
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0 []"
