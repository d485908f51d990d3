"""Numbers of things in messages."""

from __future__ import annotations


def counted(number: int, thing: str, verbs: str = "") -> str:
    """A number of things: 1 file, 2 files.

    verbs: what follows for one and for several, parted by a slash: ``is/are`` makes 1 file is, 2 files are.
    """
    one, _, several = verbs.partition("/")
    verb = one if number == 1 else several
    return f"{number} {thing}{'' if number == 1 else 's'}{verb and f' {verb}'}"
