"""A small part of what ``break_exports.py`` tries: whatever ends an export, no older sheet loses a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("break_exports.py")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_kills_interrupts_errors_and_full_disks_leave_the_older_or_the_newer_set_whole():
    counts = ["--sheets", "1", "--kills", "4", "--interrupts", "3", "--disks", "1"]

    done = subprocess.run([sys.executable, SCRIPT, *counts], capture_output=True, text=True, timeout=240, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "every step", "kills", "interrupts", "limited files", "full disks"
    ]  # fmt: skip
