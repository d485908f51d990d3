"""Damages files by the thousand, reads them, and keeps those that are not read as they should be.

    python -m tests.fuzz --pictures 5000 --tables 10000

A case fails by a traceback, a warning, a message that names no file, more than 2 s, more than 500 MB in the process, or
the end of the process. Files of failed cases are kept with what went wrong beside them. Exit status 1: a case failed.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

# it makes this checkout the package clip_grid
importlib.import_module("tests.conftest")

from .cases import Case, Cases, problem_of

#: The most that the process may hold at any moment of a case, in bytes.
MOST_BYTES = 500_000_000
#: Seconds without an answer after which a process is taken to hang.
_HANGS = 60
_ADDRESS_SPACE = 8 << 30
Make = Callable[[int], Case]


def main() -> int:
    """Run the cases that were asked for; the answer is the exit status."""
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=500, help="how many damaged pictures")
    parser.add_argument("--tables", type=int, default=1000, help="how many damaged tables, templates and other texts")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (default: 0)")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "clip-grid-fuzz"), help="for failures")
    args = parser.parse_args()
    cases = Cases()
    failed = 0
    for what, make, count in (("pictures", cases.picture, args.pictures), ("texts", cases.text, args.tables)):
        kinds: Counter[str] = Counter()
        for case, problem in _outcomes(make, range(args.first, args.first + count)):
            kinds[case.kind] += 1
            if problem:
                failed += 1
                _keep(case, problem, args.keep / f"{what}-{case.number}")
        print(f"{count} {what}: {dict(kinds)}; {failed} failed so far", flush=True)
    return 1 if failed else 0


def _keep(case: Case, problem: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / case.name).write_bytes(case.data)
    (folder / "problem.txt").write_text(problem, "utf-8", "backslashreplace")
    print(f"{folder / case.name}: {problem.splitlines()[-1][:200]!a}", flush=True)


def _outcomes(make: Make, numbers: range) -> Iterator[tuple[Case, str]]:
    """Each case and what is wrong about it, from processes that are begun anew after one that ended or hung."""
    context = multiprocessing.get_context("fork")
    first = numbers.start
    while first < numbers.stop:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(make, range(first, numbers.stop), theirs))
        process.start()
        theirs.close()
        for number in range(first, numbers.stop):
            try:
                answer = ours.recv() if ours.poll(_HANGS) else None
                problem = f"it hung for more than {_HANGS} s" if answer is None else answer
            except EOFError:
                process.join()
                answer, problem = None, f"the process ended with {process.exitcode}"
            yield make(number), problem
            if answer is None:
                break
        first = number + 1
        process.kill()
        process.join()


def _work(make: Make, numbers: range, answers: Connection) -> None:
    """In a process of its own: the problems of the cases, in order."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    unraisable: list[str] = []
    sys.unraisablehook = lambda found: unraisable.append(f"{found.err_msg}: {found.exc_value!r} in {found.object!r}")
    for number in numbers:
        case = make(number)
        Path("/proc/self/clear_refs").write_text("5")
        problem = _problem(case)
        if problem.startswith("it took"):
            # another program may have had the processor
            problem = _problem(case)
        peak = _peak_bytes()
        if not problem and peak > MOST_BYTES:
            problem = f"the process held {peak / 1e6:.0f} MB"
        answers.send(problem or "\n".join(unraisable))
        unraisable.clear()


def _problem(case: Case) -> str:
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            return problem_of(case, Path(folder))
        finally:
            os.chdir(before)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
