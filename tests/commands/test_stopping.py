"""Commands that are ended by signals; ``stop_commands.py`` does it at many moments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clip_grid.cli import main

from ..grid.samples import colour, flat, save

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("stop_commands.py")
not_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without a signal")


@not_windows
def test_a_command_that_is_ended_at_any_moment_says_truly_what_it_has_written():
    command = [sys.executable, SCRIPT, "--moments", "2", "--commands", "pdf, 2 pages"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pdf, 2 pages")


@not_windows
def test_the_files_that_are_written_when_a_command_is_ended_are_named(tmp_path):
    (tmp_path / "clip_grid").symlink_to(ROOT)
    for number in range(800):
        save(tmp_path / "in" / f"{number}.png", flat(colour(0), 1, 1))
    # its report is longer than a pipe that nobody reads
    command = [sys.executable, "-m", "clip_grid", "export", "in", "s\x1b[2J.png", "--json"]
    program = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (tmp_path / "s\x1b[2J.png").exists() and time.monotonic() < end:
        time.sleep(0.02)

    program.send_signal(signal.SIGTERM)
    told = program.communicate(timeout=60)[1]

    line = r"ended; written: s\x1b[2J.png, s\x1b[2J.json; no other output file was written or changed"
    assert (program.returncode, told.decode()) == (128 + signal.SIGTERM, line + "\n")
    assert sorted(os.listdir(tmp_path)) == ["clip_grid", "in", "s\x1b[2J.json", "s\x1b[2J.png"]


@not_windows
def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "clip_grid").symlink_to(ROOT)
    program = subprocess.Popen(
        ["nohup", sys.executable, "-m", "clip_grid", "export", "in", "s.png"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(0.15)
    program.send_signal(signal.SIGHUP)

    told = program.communicate(timeout=60)[1]

    assert (program.returncode, told) == (0, b"")
    assert (tmp_path / "s.png").exists()


def test_ctrl_c_in_a_program_that_calls_the_command_line_is_a_status(tmp_path, capsys, monkeypatch):
    save(tmp_path / "in" / "a.png")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clip_grid.grid.write.export.paint_page", interrupted)
    before = signal.getsignal(signal.SIGTERM)

    assert main(["export", str(tmp_path / "in"), str(tmp_path / "s.png")]) == 130
    assert capsys.readouterr().err == "stopped; no output file was written or changed\n"
    assert os.listdir(tmp_path) == ["in"]
    assert signal.getsignal(signal.SIGTERM) is before
