"""Exports that are killed, interrupted or run out of disk: each leaves the older set of files whole, or the newer one.

    python tests/grid/write/break_exports.py --kills 200 --interrupts 60 --disks 40

Every trial is a forked process that replaces an older sheet, with sidecar and scores, by a newer one of as many pages,
of fewer, or of more. It prints one line per kind and exits with 1 at the first set that is not whole.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count, cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if "clip_grid" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "clip_grid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec and spec.loader
    sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)

import numpy as np
from clip_grid.api import SheetInputs, export_grid
from clip_grid.atomic import atomic_file
from clip_grid.errors import ClipGridError

Files = dict[str, bytes]
#: A set of four pages, a sidecar and scores takes no more renamings.
_MOST_STEPS = 30
#: Ending, and how many pages the older and the newer sheet have.
SHEETS = [
    (ending, pages)
    for ending in ("png", "jpg", "webp", "avif", "tiff", "pdf", "html")
    for pages in ((4, 2), (2, 4), (1, 1))
    if ending not in ("pdf", "html") or pages != (2, 4)
]


def export(folder: Path, ending: str, pages: int, seed: int) -> None:
    """A sheet of pages with two pictures each."""
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (90, 90, 3), dtype=np.uint8) for _ in range(2 * pages)]
    inputs = SheetInputs(scores=[{"cosine": float(value)} for value in rng.random(2 * pages)])
    export_grid(pictures, folder / f"s.{ending}", inputs=inputs, rows=1, columns=2, scores_csv=True)


def visible(folder: Path) -> Files:
    """The files that a user sees, with their content."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


class Trials:
    """A folder with an older set, and what the newer one is like."""

    def __init__(self, parent: Path, ending: str, pages: tuple[int, int]) -> None:
        self.name = f"{ending}, {pages[0]} to {pages[1]} pages"
        self.folder = parent / f"{ending}{pages[0]}{pages[1]}"
        self._ending, self._pages = ending, pages[1]
        # in a folder of the same path, which the sidecar holds
        export(self.folder, ending, pages[1], 2)
        self.newer = visible(self.folder)
        shutil.rmtree(self.folder)
        export(self.folder, ending, pages[0], 1)
        self.older = visible(self.folder)
        self.seconds = 0.0
        self.seconds = self.run(lambda: None)[1]
        self.reset()

    def reset(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in self.older.items():
            (self.folder / name).write_bytes(content)

    def run(self, before: Callable[[], None], number: int = 0, after: float = 0) -> tuple[int, float]:
        """The status of a process that exports the newer set and gets the signal so late, and its seconds."""
        start = time.perf_counter()
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os._exit(self._export(before))
        if number:
            time.sleep(after)
            os.kill(child, number)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), time.perf_counter() - start

    def _export(self, before: Callable[[], None]) -> int:
        # a shell may start programs in the background without it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        try:
            before()
            export(self.folder, self._ending, self._pages, 2)
        except KeyboardInterrupt:
            return 2
        except SystemExit:
            return 3
        except ClipGridError:
            return 1
        return 0

    def outcome(self) -> str:
        """``older`` or ``newer``, else what is wrong."""
        found = visible(self.folder)
        if found in (self.older, self.newer):
            return "older" if found == self.older else "newer"
        shown = {name: "old" if self.older.get(name) == data else "new" if self.newer.get(name) == data else "other"
                 for name, data in found.items()}  # fmt: skip
        return f"mixed: {shown}"

    def next_run(self) -> None:
        with atomic_file(self.folder / "next.txt") as file:
            file.write(b"next")
        (self.folder / "next.txt").unlink()


def check(trials: Trials, when: str, *, is_killed: bool) -> str:
    """The outcome; ends the program if the set is not whole."""
    seen = trials.outcome()
    if is_killed:
        trials.next_run()
    outcome, left = trials.outcome(), hidden(trials.folder)
    if outcome not in ("older", "newer") or left:
        sys.exit(f"{trials.name}, {when}: {outcome}; left: {left}")
    trials.reset()
    return outcome if outcome == seen else f"{outcome} by the next run"


def at_step(step: int, action: Callable[[], None]) -> Callable[[], None]:
    """Sets up that the action is done before the so-manieth change of a name in a folder."""

    def set_up() -> None:
        steps = count(1)
        for name in ("link", "unlink", "rename", "replace"):
            setattr(os, name, _acting(getattr(os, name), steps, step, action))

    return set_up


def _acting(
    change: Callable[..., None], steps: count[int], step: int, action: Callable[[], None]
) -> Callable[..., None]:
    def acting(*args: object, **options: object) -> None:
        if next(steps) == step:
            action()
        change(*args, **options)

    return acting


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise OSError(28, "No space left on device")


def every_step(trials: Trials) -> Counter[str]:
    """Killed, failing and interrupted before every single renaming."""
    outcomes: Counter[str] = Counter()
    for kind, action in (("kill", _kill), ("error", _fail), ("interrupt", lambda: signal.raise_signal(signal.SIGINT))):
        for step in count(1):
            status, _ = trials.run(at_step(step, action))
            outcomes[f"{kind}: {check(trials, f'{kind} before step {step}', is_killed=kind != 'interrupt')}"] += 1
            # an error may be survived long before the last step
            if status == 0 and (kind != "error" or step > _MOST_STEPS):
                break
    return outcomes


def at_random(every: list[Trials], times: int, numbers: list[int], rng: random.Random) -> Counter[str]:
    """Signals at random moments."""
    outcomes: Counter[str] = Counter()
    for trials, number, _ in zip(cycle(every), cycle(numbers), range(times)):
        after = rng.uniform(0, trials.seconds * 1.1)
        trials.run(lambda: None, number, after)
        name = signal.Signals(number).name
        outcomes[f"{name}: {check(trials, f'{name} after {after:.3f} s', is_killed=number == signal.SIGKILL)}"] += 1
    return outcomes


def on_full_disks(every: list[Trials], times: int, rng: random.Random) -> Counter[str]:
    """Files that may not grow beyond a random size."""
    outcomes: Counter[str] = Counter()
    for trials, _ in zip(cycle(every), range(times)):
        size = rng.randrange(1, 60_000)
        status, _ = trials.run(partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size)))
        outcome = check(trials, f"files of at most {size} bytes", is_killed=False)
        if (outcome == "older") != (status == 1):
            sys.exit(f"{trials.name}, files of at most {size} bytes: {outcome} with status {status}")
        outcomes[outcome] += 1
    return outcomes


def on_small_disks(times: int, rng: random.Random) -> Counter[str]:
    """Disks of a few hundred kB, where this user may make them."""
    outcomes: Counter[str] = Counter()
    for (ending, pages), _ in zip(cycle(SHEETS), range(times)):
        with tempfile.TemporaryDirectory() as parent:
            size = rng.randrange(200, 900)
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", parent]
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                return Counter({"no disks can be made here": 1})
            try:
                try:
                    trials = Trials(Path(parent), ending, pages)
                except ClipGridError:
                    outcomes["too small for the older set"] += 1
                    continue
                filler = Path(parent) / "filler"
                free = os.statvfs(parent).f_bavail * os.statvfs(parent).f_frsize
                filler.write_bytes(b"x" * rng.randrange(0, max(1, free)))
                status, _ = trials.run(lambda: None)
                outcome = check(trials, f"a disk of {size} kB", is_killed=False)
                outcomes[f"{outcome}, status {status}"] += 1
            finally:
                subprocess.run(["umount", parent], check=True)
    return outcomes


def show(kind: str, outcomes: Counter[str]) -> None:
    sys.stdout.write(f"{kind}: {dict(sorted(outcomes.items()))}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, default in (("--kills", 200), ("--interrupts", 60), ("--disks", 40), ("--seed", 0)):
        parser.add_argument(flag, type=int, default=default)
    parser.add_argument("--sheets", type=int, default=len(SHEETS), help="kinds of sheets, of all")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as parent:
        every = [Trials(Path(parent), *sheet) for sheet in SHEETS[: args.sheets]]
        show("every step", sum((every_step(trials) for trials in every), Counter[str]()))
        show("kills", at_random(every, args.kills, [signal.SIGKILL], rng))
        show("interrupts", at_random(every, args.interrupts, [signal.SIGINT, signal.SIGTERM], rng))
        show("limited files", on_full_disks(every, args.disks, rng))
    show("full disks", on_small_disks(args.disks, rng))


if __name__ == "__main__":
    main()
