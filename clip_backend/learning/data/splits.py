"""Splits without leaks: whole groups go to train, val or test, and stay there when rows are added."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ....errors import InputError
from .dataset import PARTS, Dataset, Example, Finding, Part
from .groups import Floats, Groups, Origin, join_embeddings, join_origins, join_pictures
from .inspect import Inspected
from .likeness import Signature
from .split import SavedSplit, Split, SplitPicture

#: How much the size of a part in one class may differ from its share before groups are moved: one example, or this
#: share of it. Only then does where a group goes depend on others.
TOLERANCE = 0.25
#: A group of more than this share of a class, and of so many examples, is worth a warning.
_LARGE_SHARE, _LARGE = 0.5, 10
#: Pictures that an error names.
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of the data goes to the parts that are not trained on, and the seed of the order."""

    val: float = 0.2
    test: float = 0.2
    seed: int = 0
    #: Whether pictures of one prompt are one group.
    by_prompt: bool = True

    def __post_init__(self) -> None:
        if min(self.val, self.test) < 0 or self.val + self.test >= 1:
            raise InputError(f"val is {self.val:g} and test {self.test:g}; give 0 or more, and together less than 1")


@dataclass(eq=False)
class _Group:
    """One group, or the piece of one that goes to a part of its own."""

    name: str
    members: list[int]
    part: Part = ""
    #: Whether an earlier split, or the data set, says where it goes.
    is_fixed: bool = False
    #: 0..1 by its name and the seed.
    place: float = 0.0
    #: The parts beside train to which it may go.
    allowed: frozenset[Part] = frozenset(PARTS)

    def __len__(self) -> int:
        return len(self.members)


@dataclass(eq=False)
class _Splitting:
    """What a split is made of."""

    examples: Sequence[Example]
    #: Signature of each example; None for one that is left out.
    signatures: Sequence[Signature | None]
    #: The pictures of an earlier split.
    old: Sequence[SplitPicture]
    shares: Shares
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def alike(self) -> Groups:
        """The groups by pixels alone, of the examples and behind them the pictures of the earlier split."""
        groups = Groups(len(self.examples) + len(self.old))
        join_pictures(groups, [*self.signatures, *(one.signature for one in self.old)])
        return groups

    @cached_property
    def unnamed(self) -> frozenset[Part]:
        """The wanted parts that a data set with parts of its own does not have: they are taken out of its train."""
        named = {one.part for one in self.examples if one.part}
        wanted: dict[Part, float] = {"val": self.shares.val, "test": self.shares.test}
        return frozenset(part for part, share in wanted.items() if share and part not in named)

    def joined(self, *, names: bool = True) -> Groups:
        """The groups of the examples, and behind them the pictures of the earlier split."""
        groups = self.alike.copy()
        origins = [*map(Origin.of, self.examples), *(one.origin for one in self.old)]
        join_origins(groups, origins, prompts=self.shares.by_prompt, names=names)
        groups.join_equal([*([""] * len(self.examples)), *(one.group for one in self.old)], "the earlier split")
        return groups

    def pieces(self, groups: Groups) -> list[_Group]:
        """The groups, with their part where it is fixed; a group of two parts is cut into pieces."""
        count = len(self.examples)
        made: list[_Group] = []
        for every in groups.members().values():
            members = [one for one in every if one < count and self.signatures[one] is not None]
            if members:
                made += self._pieces(members, [self.old[one - count] for one in every if one >= count])
        return made

    def _pieces(self, members: list[int], old: Sequence[SplitPicture]) -> list[_Group]:
        name = min((one.hash for place in members if (one := self.signatures[place])), default="")
        name = min((one.group for one in old), default=_short(name))
        named: dict[int, Part] = {place: part for place in members if (part := self.examples[place].part)}
        if named and not (set(named.values()) == {"train"} and self.unnamed):
            return self._cut(name, members, named)
        before = {one.part for one in old}
        if not before:
            digest = hashlib.blake2b(f"{self.shares.seed} {name}".encode(), digest_size=8).digest()
            allowed = self.unnamed if named else frozenset(PARTS)
            return [_Group(name, members, place=int.from_bytes(digest, "big") / 2**64, allowed=allowed)]
        if len(before) == 1:
            return [_Group(name, members, before.pop(), is_fixed=True)]
        by_hash = {one.signature.hash: one.part for one in old}
        known = {place: by_hash.get(sign.hash, "") for place in members if (sign := self.signatures[place])}
        return self._cut(name, members, {place: part for place, part in known.items() if part}, is_named=False)

    def _cut(self, name: str, members: list[int], parts: dict[int, Part], *, is_named: bool = True) -> list[_Group]:
        """A group as one where its parts are one; else a piece for each, and one in no part.

        is_named: whether the data set itself names the parts, so that it can be mended.
        """
        if len(set(parts.values())) == 1:
            return [_Group(name, members, next(iter(parts.values())), is_fixed=True)]
        first = min(parts, key=lambda one: (PARTS.index(parts[one]), one), default=members[0])
        for one in members:
            if parts.get(one) != parts.get(first):
                self._note_leak(one, first, parts, is_named=is_named)
        pieces = {part: [one for one in members if parts.get(one, "") == part] for part in (*PARTS, "")}
        return [_Group(name, of_part, part, is_fixed=True) for part, of_part in pieces.items() if of_part]

    def _note_leak(self, one: int, first: int, parts: dict[int, Part], *, is_named: bool) -> None:
        """Notes an example of a group that is cut; it is an error where equal pixels are in two named parts."""
        own, other = self.examples[one], self.examples[first]
        if one not in parts:
            message = (
                f"it belongs to one group with pictures of two parts, such as {other.name}, so it is in none; leave it "
                "out, or split anew"
            )
            self.findings.append(own.finding("warning", "leak", message))
            return
        is_same = self.alike.root(one) == self.alike.root(first)
        what = "a copy or a part of it" if is_same else "of the same source or prompt, or nearly alike"
        message = (
            f"it is in {parts[one]}, and {other.where}, {what}, is in {parts[first]}: what is measured on it says "
            "little about new pictures; put both into one part"
        )
        self.findings.append(own.finding("error" if is_same and is_named else "warning", "leak", message))


def split_dataset(
    dataset: Dataset,
    inspected: Sequence[Inspected],
    shares: Shares,
    *,
    vectors: Floats | None = None,
    left_out: Iterable[int] = (),
    previous: SavedSplit | None = None,
) -> Split:
    """The parts of a data set.

    A group goes to test, val or train by a hash of its name and the seed, so neither the order of rows nor other groups
    matter; only where a class then has far too much or too little in a part, the groups nearest to the limit are moved.
    Groups larger than the share of a part are trained on. Parts that the data set names go before all.
    inspected: of ``inspect_pictures``. vectors: unit rows [N, D], an embedding for each example, zeros where there is
    none; without them only pixels tell near-duplicates. left_out: indices of examples that are in no part. previous: an
    earlier split, whose pictures stay where they are, with whatever has joined their groups; what joins groups of two
    parts is left out.
    """
    out = set(left_out)
    signatures = [None if place in out else one.signature for place, one in enumerate(inspected)]
    work = _Splitting(dataset.examples, signatures, previous.pictures if previous else (), shares)
    groups = work.joined()
    least = None
    if vectors is not None:
        padded = np.concatenate([vectors, np.zeros((len(work.old), vectors.shape[1]), np.float32)])
        is_read = np.array([one is not None for one in signatures] + [False] * len(work.old))
        hashes = [one.hash if one else "" for one in signatures] + [""] * len(work.old)
        least = join_embeddings(groups, padded, is_read & padded.any(axis=1), hashes)
    made = work.pieces(groups)
    strata: dict[str, list[_Group]] = defaultdict(list)
    for one in made:
        strata[_label_of(one, dataset.examples)].append(one)
    for stratum in strata.values():
        _assign(stratum, shares)
        work.findings += _large_groups(stratum, dataset)
    return _split(work, made, groups, least)


def _label_of(group: _Group, examples: Sequence[Example]) -> str:
    """What its examples mostly are: their class, or whether their texts match."""
    labels = Counter(str(examples[place].label) for place in group.members)
    return min(labels, key=lambda label: (-labels[label], label))


def _assign(groups: Sequence[_Group], shares: Shares) -> None:
    """Gives each group of one class its part."""
    total = sum(map(len, groups))
    bounds: dict[Part, tuple[float, float]] = {
        "test": (0.0, shares.test), "val": (shares.test, shares.test + shares.val),
    }  # fmt: skip
    free = [one for one in groups if not one.is_fixed]
    for one in free:
        inside = (part for part, (low, high) in bounds.items() if low <= one.place < high and part in one.allowed)
        part: Part = next(inside, "train")
        if part != "train" and len(one) > max(1, total * (bounds[part][1] - bounds[part][0])):
            part = "train"
        one.part = part
    for name, (low, high) in bounds.items():
        fixed = sum(len(one) for one in groups if one.is_fixed and one.part == name)
        _correct(free, name, high, total * (high - low), fixed)
    if free and not any(one.part == "train" for one in groups):
        max(free, key=lambda one: one.place).part = "train"


def _correct(free: Sequence[_Group], part: Part, limit: float, wanted: float, fixed: int) -> None:
    """Moves groups between a part and train until its size is near to what is wanted, those nearest to its limit first.

    Sizes are numbers of examples; fixed: of groups that are in the part already and stay there.
    """
    slack = max(1.0, TOLERANCE * wanted)
    lowest = max(wanted - slack, min(1.0, wanted) if wanted >= 1 else 0)
    have = fixed + sum(len(one) for one in free if one.part == part)
    for one in sorted((one for one in free if one.part == part), key=lambda one: -one.place):
        if have <= wanted + slack:
            break
        one.part, have = "train", have - len(one)
    others = [one for one in free if one.part == "train"]
    suited = [one for one in others if part in one.allowed]
    for one in sorted(suited, key=lambda one: (one.place < limit, abs(one.place - limit))):
        if have >= lowest or others == [one]:
            break
        if have + len(one) <= wanted + slack:
            one.part, have = part, have + len(one)
            others.remove(one)


def _large_groups(groups: Sequence[_Group], dataset: Dataset) -> Iterable[Finding]:
    total = sum(map(len, groups))
    for one in groups:
        if len(one) > max(_LARGE, _LARGE_SHARE * total):
            classes = {dataset.examples[place].label for place in one.members} if dataset.kind == "classes" else set()
            of = f" of {classes.pop()!r}" if len(classes) == 1 else ""
            yield Finding(
                "warning", "large-group",
                f"{len(one)} of {total} examples{of} are one group, since they are alike or share a prompt, so that "
                "all are in one part; add others, or turn group_prompts off if they share only the prompt",
            )  # fmt: skip


def _split(work: _Splitting, made: Sequence[_Group], groups: Groups, least: float | None) -> Split:
    of_example = {place: one for one in made for place in one.members}
    parts: list[Part] = [of_example[place].part if place in of_example else "" for place in range(len(work.examples))]
    names = [of_example[place].name if place in of_example else "" for place in range(len(work.examples))]
    for part, share in (("val", work.shares.val), ("test", work.shares.test)):
        if share and part not in parts:
            message = f"{part} is empty, since there are too few groups of pictures; add examples that are not alike"
            work.findings.append(Finding("warning", "empty-part", message))
    kept: dict[tuple[str, Part, Origin], SplitPicture] = {}
    for example, part, name, signature in zip(work.examples, parts, names, work.signatures, strict=True):
        if signature is not None and part:
            origin = Origin.of(example)
            key = (signature.hash, part, replace(origin, name=""))
            kept.setdefault(key, SplitPicture(part, name, origin, signature))
    return Split(
        tuple(parts),
        tuple(name if part else "" for name, part in zip(names, parts, strict=True)),
        tuple(one.hash if one else "" for one in work.signatures),
        work.shares.seed,
        tuple(kept.values()),
        dict(groups.reasons),
        least,
        tuple(work.findings),
    )


def _short(hash: str) -> str:
    """A name of a group by the hash of a picture."""
    return hash.rpartition(":")[2][:16]


def seen_examples(
    split: SavedSplit, dataset: Dataset, inspected: Sequence[Inspected], *, by_prompt: bool = True
) -> dict[int, Part]:
    """The examples of any data set whose group was trained on, or chosen by, by index: "train" or "val".

    inspected: of ``inspect_pictures``. Names are not compared, for those of two data sets may be equal by chance.
    """
    signatures = [one.signature for one in inspected]
    work = _Splitting(dataset.examples, signatures, split.pictures, Shares(by_prompt=by_prompt))
    groups, count = work.joined(names=False), len(dataset.examples)
    of_root: dict[int, set[Part]] = defaultdict(set)
    for place, one in enumerate(split.pictures, count):
        of_root[groups.root(place)].add(one.part)
    found: dict[int, Part] = {}
    for place, signature in enumerate(signatures):
        parts = of_root.get(groups.root(place), set())
        if signature is not None and (seen := next((part for part in PARTS[:2] if part in parts), None)):
            found[place] = seen
    return found


def check_unseen(
    split: SavedSplit, dataset: Dataset, inspected: Sequence[Inspected], *, by_prompt: bool = True
) -> None:
    """Raises InputError, naming some, where examples belong to groups that were trained on or chosen by."""
    seen = seen_examples(split, dataset, inspected, by_prompt=by_prompt)
    if not seen:
        return
    shown = [(dataset.examples[place], part) for place, part in list(seen.items())[:_SHOWN]]
    names = "; ".join(
        f"{one.name}{f' (row {one.row})' if one.row is not None else ''} in {part}" for one, part in shown
    )
    more = f"; and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
    raise InputError(
        f"{len(seen)} of {len(dataset.examples)} pictures, or pictures of their groups, were used in training, so what "
        f"is measured on them says nothing about new ones: {names}{more}; leave them out, or allow pictures that were "
        "trained on"
    )
