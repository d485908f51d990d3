"""Groups: examples that must not be parted, because one tells what is in the other."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from .dataset import Example
from .likeness import Bytes, Signature, mirrored

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]
#: Most differing bits of the 63-bit perceptual hash, and levels of small copies, between copies of one picture.
MOST_BITS, MOST_LEVELS = 12, 5.0
#: How much the aspect ratios of copies may differ.
ASPECT_TOLERANCE = 0.02
#: Blocks at one offset that make one picture a part of another.
LEAST_BLOCKS = 5
#: A block in more pictures is a watermark or a frame: in more than this share of all, but at least and at most so many.
_MOST_SHARE, _FEWEST_PICTURES, _MOST_PICTURES = 0.02, 16, 64
#: Near-duplicates by embedding: standard deviations below the usual logarithm of the distance to the nearest picture,
#: and the least cosine, for copies of another size or format reach that.
DEVIATIONS, LEAST_COSINE = 6.0, 0.98
#: So many pictures it takes to know what is usual.
LEAST_PICTURES = 30
#: Rows that are compared with as many others at once.
_ROWS, _OTHERS = 512, 8192
#: Pairs whose small copies are held at once.
_PAIRS = 1 << 16
#: Names that say that a file was made of another one: "cat_crop2.png" of "cat.png".
_DERIVED = re.compile(
    r"[ _.\-]+\(?(?:crop|cropped|tile|patch|flip|flipped|hflip|mirror|mirrored|rot|rotated|aug|augmented|copy|resized)"
    r"[ _.\-]?\d*\)?(?:[ _x.\-]\d+)*$",
    re.IGNORECASE,
)
#: More pictures of such names without the original are those of a subject, such as the crops of a field.
MOST_DERIVED = 16


@dataclass
class Groups:
    """Members joined one by one (union-find), and how many joins each reason gave."""

    size: int
    reasons: Counter[str] = field(default_factory=Counter)
    _parents: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._parents = self._parents or list(range(self.size))

    def root(self, member: int) -> int:
        """The member that stands for the group."""
        while self._parents[member] != member:
            self._parents[member] = member = self._parents[self._parents[member]]
        return member

    def join(self, one: int, other: int, reason: str) -> None:
        """Makes the groups of two members one."""
        a, b = self.root(one), self.root(other)
        if a != b:
            self._parents[max(a, b)] = min(a, b)
            self.reasons[reason] += 1

    def join_equal(self, keys: Iterable[Hashable], reason: str) -> None:
        """Joins members of equal keys; those whose key is false stand alone."""
        firsts: dict[Hashable, int] = {}
        for member, key in enumerate(keys):
            if key:
                self.join(firsts.setdefault(key, member), member, reason)

    def copy(self) -> Groups:
        """A copy of the groups, to be joined further."""
        return Groups(self.size, Counter(self.reasons), [*self._parents])

    def members(self) -> dict[int, list[int]]:
        """The members of each group by the one that stands for it, ascending."""
        groups: dict[int, list[int]] = defaultdict(list)
        for member in range(self.size):
            groups[self.root(member)].append(member)
        return dict(groups)


def join_pictures(groups: Groups, signatures: Sequence[Signature | None]) -> None:
    """Joins members whose pictures are equal, nearly equal, mirrored, or parts of each other; None joins nothing."""
    groups.join_equal([one and one.hash for one in signatures], "the same file")
    groups.join_equal([one and one.pixels for one in signatures], "the same pixels")
    known = [(place, one) for place, one in enumerate(signatures) if one is not None]
    # one of each content is enough
    firsts = list({one.pixels: (place, one) for place, one in reversed(known)}.values())[::-1]
    _join_near(groups, firsts)
    for a, b in _sharing_blocks([one for _, one in firsts]):
        groups.join(firsts[a][0], firsts[b][0], "parts of one picture")


@dataclass(frozen=True)
class Origin:
    """Where a picture comes from, as far as its name, its row and its file tell; nothing private."""

    #: In the data set, without folders of this machine.
    name: str
    source: str = ""
    #: Hashes of its prompt with its model, and with its seed; empty where they are not known.
    prompts: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, example: Example) -> Origin:
        """The keys by which an example belongs to groups."""
        facts, prompt = example.facts, " ".join(example.facts.prompt.casefold().split())
        by_model = _hashed("model", prompt, facts.model.casefold()) if prompt else ""
        by_seed = _hashed("seed", prompt, facts.seed) if prompt and facts.seed else ""
        return cls(example.name, example.source, (by_model, by_seed))


def _hashed(*texts: str) -> str:
    """Prompts may be private, and files of splits are given away."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def join_origins(groups: Groups, origins: Sequence[Origin], *, prompts: bool = True, names: bool = True) -> None:
    """Joins members of one source, with ``prompts`` those of one prompt, and with ``names`` copies by their names.

    Those of one prompt are of one model, whatever their seeds, or of one seed.
    """
    groups.join_equal([one.source for one in origins], "the same source")
    if names:
        groups.join_equal(_originals([one.name for one in origins]), "names of one source")
    if prompts:
        for keys in zip(*(one.prompts for one in origins), strict=True):
            groups.join_equal(keys, "the same prompt")


def _originals(names: Sequence[str]) -> list[str]:
    """The name of the picture that each was made of by its own name, or its own; empty where that cannot be told."""
    originals = [_original(name) for name in names]
    there = {_without_suffix(name) for name in names}
    counts = Counter(dict(zip(names, originals, strict=True)).values())
    return [name if name in there or counts[name] <= MOST_DERIVED else "" for name in originals]


def _original(name: str) -> str:
    folder, _, stem = _without_suffix(name).rpartition("/")
    while (shorter := _DERIVED.sub("", stem)) not in ("", stem):
        stem = shorter
    return f"{folder}/{stem}" if folder else stem


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")).casefold()


def _join_near(groups: Groups, firsts: Sequence[tuple[int, Signature]]) -> None:
    """Joins near-duplicates: few differing bits of the perceptual hash, one shape, and nearly the same colours."""
    known = [(place, one, one.bits) for place, one in firsts if one.bits is not None]
    if len(known) < 2:
        return
    members = np.array([place for place, _, _ in known], np.intp)
    signs = np.stack([bits for _, _, bits in known]).astype(np.float32) * 2 - 1
    turned = np.stack([mirrored(bits) for _, _, bits in known]).astype(np.float32) * 2 - 1
    aspects = np.array([one.aspect for _, one, _ in known])
    small = np.stack([one.small for _, one, _ in known])
    least = signs.shape[1] - 2 * MOST_BITS

    def are_copies(a: Ints, b: Ints, seen: Bytes) -> NDArray[np.bool_]:
        levels = np.sqrt(((seen[a].astype(np.float32) - small[b]) ** 2).mean(axis=(1, 2, 3)))
        has_shape = np.abs(aspects[a] - aspects[b]) <= ASPECT_TOLERANCE * np.maximum(aspects[a], aspects[b])
        found: NDArray[np.bool_] = (levels <= MOST_LEVELS) & has_shape
        return found

    for start, first in _blocks_of(len(known)):
        rows, others = slice(start, start + _ROWS), slice(first, first + _OTHERS)
        for own, seen in ((signs, small), (turned, small[:, :, ::-1])):
            near = own[rows] @ signs[others].T >= least
            _join_block(groups, members, near, (start, first), "near-duplicates", partial(are_copies, seen=seen))


def _join_block(
    groups: Groups, members: Ints, near: NDArray[np.bool_], corner: tuple[int, int], reason: str,
    are_copies: Callable[[Ints, Ints], NDArray[np.bool_]] | None = None,
) -> None:  # fmt: skip
    """Joins members that are near, if ``are_copies`` says so of their places among the members.

    near: [R, O], a block of all pairs of members that begins at ``corner``. Pairs within one group are passed over, so
    that thousands of equal pictures take neither time nor memory.
    """
    rows, others = (range(begin, begin + size) for begin, size in zip(corner, near.shape, strict=True))
    near &= np.array(rows)[:, None] < np.array(others)[None]
    is_left = True
    while is_left:
        roots = [np.array([groups.root(int(member)) for member in members[own]]) for own in (rows, others)]
        near &= roots[0][:, None] != roots[1][None]
        # so many of them at once, whose groups may be one then
        found = np.flatnonzero(near)
        is_left, found = len(found) > _PAIRS, found[:_PAIRS]
        near.ravel()[found] = False
        a, b = found // near.shape[1] + corner[0], found % near.shape[1] + corner[1]
        kept = are_copies(a, b) if are_copies is not None else slice(None)
        for own, its in zip(members[a[kept]].tolist(), members[b[kept]].tolist(), strict=True):
            groups.join(own, its, reason)


def _blocks_of(count: int) -> Iterator[tuple[int, int]]:
    """Where blocks of rows and of others that do not end before them begin."""
    for start in range(0, count, _ROWS):
        for first in range(start // _OTHERS * _OTHERS, count, _OTHERS):
            yield start, first


def _sharing_blocks(signatures: Sequence[Signature]) -> Iterator[tuple[int, int]]:
    """Places of pictures of which one is a part of the other, or both are parts of a third.

    They share blocks of pixels at one offset. What is in many pictures, such as a watermark, counts for nothing.
    """
    owners: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for place, one in enumerate(signatures):
        for hash, x, y in one.blocks.tolist():
            owners[hash].append((place, x, y))
    most = min(_MOST_PICTURES, max(_FEWEST_PICTURES, int(_MOST_SHARE * len(signatures))))
    offsets: Counter[tuple[int, int, int, int]] = Counter()
    for found in owners.values():
        if not 2 <= len(found) <= most:
            continue
        for index, (place, x, y) in enumerate(found):
            offsets.update((place, other, x - u, y - v) for other, u, v in found[index + 1 :] if other != place)
    yield from {(one, other) for (one, other, _, _), count in offsets.items() if count >= LEAST_BLOCKS}


def join_embeddings(
    groups: Groups, vectors: Floats, is_known: NDArray[np.bool_], hashes: Sequence[str]
) -> float | None:
    """Joins members whose embeddings are far nearer to each other than pictures of this data are; gives the cosine.

    vectors: unit rows [N, D]. is_known: of each, whether it counts. hashes: of each, by which one of a group is chosen
    whatever the order of the rows. The least cosine is taken from the data: 1 - cosine to the nearest picture of
    another group has a usual logarithm and a spread (median and median absolute deviation); near-duplicates are
    ``DEVIATIONS`` below it, and at least ``LEAST_COSINE``. None for too few pictures to tell.
    """
    places = np.array(sorted(np.flatnonzero(is_known).tolist(), key=hashes.__getitem__), np.intp)
    roots = np.array([groups.root(place) for place in places.tolist()], np.intp)
    # one of each group, so that its own copies are not what is usual
    _, firsts = np.unique(roots, return_index=True)
    if len(firsts) < LEAST_PICTURES:
        return None
    known = vectors[places]
    least = max(LEAST_COSINE, _unusual(known[firsts]))
    for start, first in _blocks_of(len(known)):
        near = known[start : start + _ROWS] @ known[first : first + _OTHERS].T >= least
        _join_block(groups, places, near, (start, first), "near-duplicates by embedding")
    return least


def _unusual(vectors: Floats) -> float:
    """The cosine to the nearest other row above which hardly any of these unit rows [N, D] would be by chance."""
    nearest = np.full(len(vectors), -1.0, np.float32)
    for start in range(0, len(vectors), _ROWS):
        cosines = vectors[start : start + _ROWS] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -1
        nearest[start : start + _ROWS] = cosines.max(axis=1)
    logs = np.log(np.maximum(1e-7, 1 - nearest.astype(np.float64)))
    middle = float(np.median(logs))
    # 1.4826 makes it the standard deviation of a normal distribution
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    return 1 - float(np.exp(middle - DEVIATIONS * spread))
