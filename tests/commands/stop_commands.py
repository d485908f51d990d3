"""Commands that get SIGINT, SIGTERM or SIGHUP at moments spread over their whole run, imports included.

    python tests/commands/stop_commands.py --moments 60

Each must answer with one line that is true, the exit status 128 + the signal's number, an older or newer set of files
that is whole, and nothing else left in its folder or in that of temporary files. It prints a line per command with the
answers, and exits with 1 at the first that is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNCHANGED = "no output file was written or changed"
MODEL = ("--model", "shapes-demo", "--no-cache", "--quiet")
#: By what the trial is called: the arguments.
COMMANDS = {
    f"{ending}, {pages} pages": ("export", "in", f"out/s.{ending}", "--rows", "1", "--columns", str(4 // pages),
                                 "--scores-csv", "--quiet")
    for ending in ("png", "jpg", "webp", "avif", "tiff", "pdf", "html")
    for pages in (1, 2)
} | {
    "label": ("label", "in", "--labels", "red", "blue", "--csv", "out/labels.csv", *MODEL),
    "match-batch": ("match-batch", "pairs.csv", "--out", "out/r.csv", *MODEL),
    "rank": ("rank", "in", "--text", "red", "--copy-to", "out/best", *MODEL),
}  # fmt: skip
Files = dict[str, bytes]


class Trial:
    """A folder with pictures, and with the files that an earlier run of the command has made of other ones."""

    def __init__(self, folder: Path, arguments: tuple[str, ...]) -> None:
        self.folder, self._arguments = folder, arguments
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        (folder / "code").mkdir()
        (folder / "code" / "clip_grid").symlink_to(ROOT)
        (folder / "pairs.csv").write_text("image_path,text\n" + "".join(f"in/{n}.png,red\n" for n in range(4)))
        # a folder for copies must be new
        self.older = {} if "--copy-to" in arguments else self._made_of(40)
        start = time.perf_counter()
        self.newer = self._made_of(90)
        self.seconds = time.perf_counter() - start

    def _made_of(self, size: int) -> Files:
        (self.folder / "in").mkdir(exist_ok=True)
        for number in range(4):
            Image.new("RGB", (size, size), (60 * number, size, 0)).save(self.folder / "in" / f"{number}.png")
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        done = self._start()
        _, told = done.communicate(timeout=120)
        if done.returncode:
            sys.exit(f"{self._arguments} ended with {done.returncode}: {told.decode()}")
        return self.files()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "PYTHONPATH": str(self.folder / "code"), "TMPDIR": str(self._temporary), "OMP_NUM_THREADS": "1",
            # to compile all modules at each start would take most of the time
            "CLIP_GRID_CACHE": "off", "PYTHONDONTWRITEBYTECODE": "",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "clip_grid", *self._arguments],
            cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def files(self) -> Files:
        found = (path for path in (self.folder / "out").rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}

    def stopped(self, number: int, after: float) -> str:
        """What came of a run that got the signal so late; ends the program if that is wrong."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        for name, data in self.older.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        program = self._start()
        time.sleep(after)
        program.send_signal(number)
        err = program.communicate(timeout=120)[1]
        answer, problem = self._judged(number, program.returncode, err.decode())
        if left := os.listdir(self._temporary):
            problem = f"left among the temporary files: {left}"
        if problem:
            sys.exit(f"{self._arguments}, signal {number} after {after:.3f} of {self.seconds:.3f} s: {problem}")
        return answer

    def _judged(self, number: int, status: int, told: str) -> tuple[str, str]:
        """The answer, and what is wrong with it."""
        files = self.files()
        kept = [name for name in files if name.endswith(".part") and name in told]
        files = {name: data for name, data in files.items() if name not in kept}
        state = "older" if files == self.older else "newer" if files == self.newer else f"mixed: {sorted(files)}"
        seen = f"status {status}, {state} files, {told!r}"
        if status == 0:
            return "done before", "" if state == "newer" and not told else seen
        if "clip_grid" not in told and not told.startswith(("stopped; ", "ended; ")):
            # Python itself was not yet as far as to run a line of ours
            began = status == -number or "KeyboardInterrupt" in told or told.startswith("Fatal Python error: init_")
            return "before the first import", "" if began and state == "older" else seen
        word = "stopped" if number == signal.SIGINT else "ended"
        is_line = told.startswith(f"{word}; ") and told.count("\n") == 1 and told.endswith("\n")
        is_true = (state == "older") == (UNCHANGED in told.partition("; no other")[0]) and "mixed" not in state
        named = state == "older" or all(name in told for name in files)
        is_right = is_line and is_true and named and status == 128 + number
        return f"{state} files, and says so", "" if is_right else seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=60, help="of each command")
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(COMMANDS), metavar="COMMAND")
    args = parser.parse_args()
    # a shell that starts programs in the background lets them ignore it, and so would the commands
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as parent:
        for place, name in enumerate(args.commands):
            trial = Trial(Path(parent) / str(place), COMMANDS[name])
            answers: Counter[str] = Counter()
            for moment, number in zip(range(args.moments), cycle(SIGNALS)):
                answers[trial.stopped(number, trial.seconds * 1.05 * (moment + 0.5) / args.moments)] += 1
            sys.stdout.write(f"{name}, {trial.seconds:.2f} s: {dict(sorted(answers.items()))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
