"""What is wrong or doubtful in a data set, found before anything is trained, and what must be left out for it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from .dataset import Dataset, Example, Finding
from .inspect import Inspected

#: The name of each check, with what it finds in words.
CHECKS: Mapping[str, str] = {
    "encoding": "texts that are not UTF-8",
    "columns": "rows with too many cells",
    "bad-entry": "entries that cannot be read",
    "broken-archive": "archives that are damaged",
    "unreadable-folder": "folders that cannot be listed",
    "no-picture": "rows without a picture",
    "missing-picture": "pictures that are not there",
    "unreadable-picture": "pictures that cannot be read",
    "no-text": "rows without a text",
    "no-label": "rows without a label",
    "bad-label": "labels that are neither 1 nor 0",
    "contradicting-labels": "pictures with contradicting labels",
    "one-class": "only one kind of label",
    "one-picture": "only one picture",
    "leak": "pictures of one group in several parts",
    "duplicate-row": "rows that occur twice",
    "same-picture": "one picture under several names",
    "repeated-text": "one text for several pictures",
    "garbled-text": "texts that were garbled",
    "long-text": "texts longer than the model reads",
    "more-lines": "captions of several lines",
    "unused-caption": "captions that are not read",
    "repeats": "repeats that are not used",
    "unknown-part": "parts of no known name",
    "animated": "animated pictures",
    "small-picture": "pictures smaller than the model's input",
    "blank-picture": "pictures that show nothing",
    "similar-classes": "classes that differ in case or blanks only",
    "imbalance": "labels of very different frequency",
    "few-examples": "few examples",
    "large-group": "large groups of pictures that are alike",
    "empty-part": "parts without examples",
    "label-noise": "texts or labels that may be wrong",
}
#: What makes a training impossible or worthless; all other errors cost their rows alone.
STOPPING = frozenset({"one-class", "one-picture", "leak"})
#: Fewer examples of a kind are worth a warning, and so is one label that is so many times as frequent as another.
FEW, IMBALANCE = 20, 10.0
#: The mark of a character that was lost, and UTF-8 that was read as Latin-1 or Windows-1252.
_GARBLED = re.compile("\ufffd|[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u0080-\u2122]|\u00e2[\u0080-\u00bf]{2}")
_EMPTY = {"blank": "it is blank", "noise": "it shows noise only"}


def check_examples(
    dataset: Dataset, inspected: Sequence[Inspected], input_size: int | None = None
) -> tuple[list[Finding], set[int]]:
    """What is wrong with examples and with all of them together, and the indices of those that must be left out.

    inspected: of ``inspect_pictures``. input_size: pixels of the side of what the model takes; None to not compare.
    """
    findings = list(_about_pictures(dataset.examples, inspected, input_size))
    left_out = {place for place, one in enumerate(inspected) if one.signature is None}
    contents = [one.signature.pixels if one.signature else "" for one in inspected]
    for check in (_contradictions, _repetitions):
        found, out = check(dataset, contents, left_out)
        findings += found
        left_out |= out
    findings += _about_texts(dataset)
    findings += _about_all(dataset, contents, left_out)
    return findings, left_out


def _about_pictures(
    examples: Sequence[Example], inspected: Sequence[Inspected], input_size: int | None
) -> Iterator[Finding]:
    """An unreadable picture costs each of its rows; what is odd about a picture is said once."""
    seen: set[object] = set()
    for example, one in zip(examples, inspected, strict=True):
        if one.signature is None:
            yield example.finding("error", "unreadable-picture", one.reason)
            continue
        if example.picture in seen:
            continue
        seen.add(example.picture)
        if one.is_animated:
            message = "it has several frames or pages, of which only the first is used"
            yield example.finding("warning", "animated", message)
        if input_size and min(one.size) < input_size:
            message = (
                f"it is {one.size[0]} x {one.size[1]} pixels and is enlarged to {input_size}; use the original, if "
                "there is a larger one"
            )
            yield example.finding("warning", "small-picture", message)
        if one.emptiness:
            message = f"{_EMPTY[one.emptiness]}; leave it out, unless that is what should be learnt"
            yield example.finding("warning", "blank-picture", message)


def _contradictions(dataset: Dataset, contents: Sequence[str], left_out: set[int]) -> tuple[list[Finding], set[int]]:
    """Examples whose pixels, and in a set of pairs whose text too, have different labels."""
    if dataset.kind == "captions":
        return [], set()
    of_key: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (example, content) in enumerate(zip(dataset.examples, contents, strict=True)):
        if place not in left_out:
            of_key[content, _plain(example.text) if dataset.kind == "pairs" else ""].append(place)
    findings, out = [], set()
    for places in of_key.values():
        firsts: dict[object, Example] = {}
        for place in places:
            firsts.setdefault(dataset.examples[place].label, dataset.examples[place])
        if len(firsts) < 2:
            continue
        for place in places:
            own = dataset.examples[place]
            other = next(one for label, one in firsts.items() if label != own.label)
            message = (
                f"its label is {_shown(own.label)}, and that of the same picture in {other.where} is "
                f"{_shown(other.label)}; neither is used, keep the one that is right"
            )
            findings.append(own.finding("error", "contradicting-labels", message))
            out.add(place)
    return findings, out


def _repetitions(dataset: Dataset, contents: Sequence[str], left_out: set[int]) -> tuple[list[Finding], set[int]]:
    """Examples that are there twice, which count once, and pictures that are there under two names."""
    rows: dict[tuple[object, ...], Example] = {}
    pictures: dict[str, Example] = {}
    findings, out = [], set()
    for place, (example, content) in enumerate(zip(dataset.examples, contents, strict=True)):
        if place in left_out:
            continue
        # in two parts it is a leak
        key = (content, *map(_plain, example.texts), example.label, example.part)
        first = rows.setdefault(key, example)
        shown = pictures.setdefault(content, example)
        if first is not example:
            message = f"the same picture with the same text or label as {first.where}; it counts once"
            findings.append(example.finding("warning", "duplicate-row", message))
            out.add(place)
        elif shown.picture != example.picture:
            message = f"the same picture as {shown.where}; if both are meant, put their texts under one name"
            findings.append(example.finding("warning", "same-picture", message))
    return findings, out


def _about_texts(dataset: Dataset) -> Iterator[Finding]:
    firsts: dict[str, Example] = {}
    for example in dataset.examples:
        rows = [(example.row, example.line), *example.caption_rows]
        for (row, line), text in zip(rows, example.texts, strict=False):
            if found := _GARBLED.search(text):
                message = f"its text has {found[0]!r}, as if it was saved in a wrong encoding; write it anew in UTF-8"
                yield Finding("warning", "garbled-text", message, row, line, example.name, example.file)
            first = firsts.setdefault(_plain(text), example)
            if dataset.kind == "captions" and first.picture != example.picture:
                message = f"its text is that of {first.where} too, so that the two teach no difference"
                yield Finding("warning", "repeated-text", message, row, line, example.name, example.file)


def _about_all(dataset: Dataset, contents: Sequence[str], left_out: set[int]) -> Iterator[Finding]:
    """What only all usable examples together show."""
    used = [place for place in range(len(contents)) if place not in left_out]
    if len({contents[place] for place in used}) < 2:
        yield Finding("error", "one-picture", "fewer than two different pictures can be used; add others")
        return
    if dataset.kind == "captions":
        if len(used) < FEW:
            yield Finding("warning", "few-examples", f"only {len(used)} pictures; results vary much, add others")
        return
    counts = Counter(_shown(dataset.examples[place].label) for place in used)
    what = "class" if dataset.kind == "classes" else "label"
    if len(counts) < 2:
        cure = "add pictures of another class" if what == "class" else "add pairs of the other kind, 1 or 0"
        yield Finding("error", "one-class", f"all examples have the {what} {next(iter(counts))}; {cure}")
        return
    for label, count in counts.items():
        if count < FEW:
            message = f"the {what} {label} has only {count} of {FEW} examples; results vary much, add others"
            yield Finding("warning", "few-examples", message)
    (most, largest), (least, smallest) = counts.most_common(1)[0], counts.most_common()[-1]
    if largest >= IMBALANCE * smallest:
        message = f"there are {largest} examples of the {what} {most}, but {smallest} of {least}; add some of {least}"
        yield Finding("warning", "imbalance", message)
    yield from _similar_classes(dataset)


def _similar_classes(dataset: Dataset) -> Iterator[Finding]:
    firsts: dict[str, str] = {}
    seen: set[str] = set()
    for example in dataset.examples:
        label = example.label
        if not isinstance(label, str) or label in seen:
            continue
        seen.add(label)
        first = firsts.setdefault("".join(_plain(label).replace("_", " ").replace("-", " ").split()), label)
        if first != label:
            message = f"the classes {first!r} and {label!r} differ in case, blanks or hyphens only; write them alike"
            yield example.finding("warning", "similar-classes", message)


def _plain(text: str | None) -> str:
    """A text without differences of case and blanks."""
    return " ".join((text or "").casefold().split())


def _shown(label: object) -> str:
    return str(int(label)) if isinstance(label, bool) else repr(label)
