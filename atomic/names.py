"""Names of new files that are made from other names."""

from __future__ import annotations

from hashlib import blake2b

#: Bytes of a file's name that file systems allow.
_MOST = 255
#: Endings that are longer, in bytes, are a part of the name.
_LONGEST_ENDING = 40


def fitting_name(stem: str, ending: str) -> str:
    """The name ``stem + ending``, in which a stem that is too long for a file system is cut between two characters.

    A hash of the whole stem stands in the place of the rest, so that stems that begin alike keep names of their own.
    """
    room = _MOST - _size(ending)
    if _size(ending) > _LONGEST_ENDING:
        stem, ending, room = stem + ending, "", _MOST
    if _size(stem) <= room:
        return stem + ending
    mark = "~" + blake2b(stem.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    room -= len(mark)
    # a character has at most four bytes
    cut = stem[:room]
    while _size(cut) > room:
        cut = cut[:-1]
    return f"{cut}{mark}{ending}"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
