"""Vocabularies: labels in facets such as medium, subject and style, each facet a classification of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ...errors import InputError
from ...options import SLOT, check_templates

#: The templates of a facet without its own, as of labels in a list: models read a word better in a sentence (Radford et
#: al. 2021, section 3.1.4), and not every picture is a photo.
GIVEN_TEMPLATES = (f"a photo of a {SLOT}", SLOT)
#: What the labels of a facet name: things, which unrelated nouns compete with; the manner of the picture, which every
#: picture has; or what is wrong in it.
FacetKind = Literal["things", "manner", "defects"]
MANNER_FACETS = frozenset(("medium", "style", "lighting", "colour", "color", "composition", "mood"))
DEFECTS = "defects"
#: The facet of labels that are listed without one.
DEFAULT_FACET = "label"
#: The node above all others of a tree, which has no name.
ROOT = -1


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Numbered nodes: the labels of a facet in their order, then the groups that are no labels."""

    names: tuple[str, ...]
    #: The nodes below each node that has any; from ROOT on, each node before those below it.
    children: dict[int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Facet:
    """Labels that exclude each other, and the templates that turn each into the prompts of its class.

    Raises InputError without labels, for an empty or repeated label, for one that is its own ancestor, and for a
    template that does not hold ``{}`` once.
    """

    name: str
    labels: tuple[str, ...]
    templates: tuple[str, ...] = GIVEN_TEMPLATES
    #: The label or group -> the group that it belongs to, which need not be a label.
    parents: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.labels:
            raise InputError(f"the facet {self.name!r} has no labels; give at least one")
        if not all(label.strip() for label in self.labels):
            raise InputError(f"the facet {self.name!r} holds an empty label; take it out")
        if len(set(self.labels)) < len(self.labels):
            twice = next(label for place, label in enumerate(self.labels) if label in self.labels[:place])
            raise InputError(f"the facet {self.name!r} holds {twice!r} twice; take one out")
        check_templates(self.templates)
        for label in self.parents:
            self.ancestors(label)

    def ancestors(self, label: str) -> tuple[str, ...]:
        """The groups that a label belongs to, the nearest first."""
        path = [label]
        while (parent := self.parents.get(path[-1])) is not None:
            if parent in path:
                raise InputError(f"in the facet {self.name!r}, {parent!r} is a kind of itself; take a parent out")
            path.append(parent)
        return tuple(path[1:])

    @property
    def kind(self) -> FacetKind:
        """What its labels name, by its own name; those of a facet that is not known by it name things."""
        name = text_key(self.name)
        if name == DEFECTS:
            return "defects"
        return "manner" if name in MANNER_FACETS else "things"

    @cached_property
    def tree(self) -> Tree:
        """The labels and their groups."""
        groups = (group for label in self.labels for group in self.ancestors(label))
        names = tuple(dict.fromkeys((*self.labels, *groups)))
        nodes = {name: node for node, name in enumerate(names)}
        below: dict[int, list[int]] = {}
        for node, name in enumerate(names):
            below.setdefault(nodes.get(self.parents.get(name, ""), ROOT), []).append(node)
        order = [ROOT]
        for node in order:
            order += below.get(node, ())
        return Tree(names=names, children={node: tuple(below[node]) for node in order if node in below})


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Facets under one name; raises InputError without any, or for two of one name."""

    name: str
    facets: tuple[Facet, ...]
    #: What the user should know, such as labels that were listed twice.
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [facet.name for facet in self.facets]
        if not names:
            raise InputError(f"the vocabulary {self.name} has no labels; give at least one")
        if len(set(names)) < len(names):
            raise InputError(f"the vocabulary {self.name} has two facets of one name among {', '.join(names)}")

    def __len__(self) -> int:
        return sum(len(facet.labels) for facet in self.facets)

    def with_templates(self, templates: Sequence[str]) -> Vocabulary:
        """A copy with these templates in every facet."""
        return replace(self, facets=tuple(replace(facet, templates=tuple(templates)) for facet in self.facets))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One label as a list or file has it."""

    label: str
    facet: str = DEFAULT_FACET
    #: The groups that it belongs to, the widest first; if the last one is the label itself, it stands for the group.
    groups: tuple[str, ...] = ()


def build_vocabulary(
    name: str, entries: Iterable[Entry], *, templates: Mapping[str, tuple[str, ...]] | None = None
) -> Vocabulary:
    """The entries by facet, in their order, with notes on what was merged.

    templates: by facet; the others have those of given labels. Raises InputError as Facet and Vocabulary do.
    """
    by_facet: dict[str, list[Entry]] = {}
    for entry in entries:
        by_facet.setdefault(text_key(entry.facet), []).append(entry)
    own = {text_key(facet): texts for facet, texts in (templates or {}).items()}
    built = [_build_facet(group, own.get(key, GIVEN_TEMPLATES)) for key, group in by_facet.items()]
    notes = tuple(note for _, notes in built for note in notes)
    return Vocabulary(name=name, facets=tuple(facet for facet, _ in built), notes=notes)


def _build_facet(entries: Sequence[Entry], templates: tuple[str, ...]) -> tuple[Facet, list[str]]:
    """A facet and the notes on it; labels with one ``text_key`` are merged, in the spelling that came first."""
    name = _one_line(entries[0].facet)
    spellings: dict[str, str] = {}
    parents: dict[str, str] = {}
    # dicts without values are sets that keep their order
    labels, repeated, moved = dict[str, None](), dict[str, None](), dict[str, None]()
    for entry in entries:
        path = [spellings.setdefault(text_key(text), _one_line(text)) for text in (*entry.groups, entry.label)]
        *groups, label = path
        if groups and groups[-1] == label:
            groups.pop()
        if label in labels:
            repeated[label] = None
        labels[label] = None
        for child, parent in zip([*groups[1:], label], groups, strict=False):
            if parents.setdefault(child, parent) != parent:
                moved[child] = None
    notes = []
    if repeated:
        notes.append(f"listed more than once and taken once: {first_few(repeated)}")
    if moved:
        notes.append(f"listed under two parents, of which the first counts: {first_few(moved)}")
    if len(labels) == 1:
        notes.append(_single_label_note(name))
    return Facet(name=name, labels=tuple(labels), templates=templates, parents=parents), notes


def vocabulary_from_labels(labels: Iterable[str], *, name: str = "labels", templates: Sequence[str] = ()) -> Vocabulary:
    """One facet of the labels; those that differ only in case or spaces are one, with a note.

    Raises InputError for no labels, and for one that is empty or no text.
    """
    if isinstance(labels, str):
        raise InputError(f"the labels are the text {labels[:40]!r}; give a list of texts")
    if not isinstance(labels, Iterable):
        raise InputError(f"the labels are a {type(labels).__name__}; give a list of texts")
    labels = list(labels)
    if not labels:
        raise InputError("no labels were given; give at least one, and two or more to choose between")
    for number, label in enumerate(labels, 1):
        if not isinstance(label, str):
            raise InputError(f"label {number} of {len(labels)} is {label!r}; a label must be a text")
        if not label.strip():
            raise InputError(f"label {number} of {len(labels)} is empty; take it out")
    own = {DEFAULT_FACET: tuple(templates)} if templates else None
    return build_vocabulary(name, (Entry(label=label) for label in labels), templates=own)


def merge_vocabularies(first: Vocabulary, second: Vocabulary) -> Vocabulary:
    """The labels of both; facets of one name become one, with the templates of the second if it has its own."""
    facets = (*first.facets, *second.facets)
    entries = (
        Entry(label=label, facet=facet.name, groups=facet.ancestors(label)[::-1])
        for facet in facets
        for label in facet.labels
    )
    templates = {text_key(facet.name): facet.templates for facet in facets if facet.templates != GIVEN_TEMPLATES}
    merged = build_vocabulary(f"{first.name} + {second.name}", entries, templates=templates)
    # a facet with a single label may have more now; if not, building has noted it again
    single = {_single_label_note(facet.name) for facet in facets}
    notes = [note for note in (*first.notes, *second.notes) if note not in single]
    return replace(merged, notes=(*notes, *merged.notes))


def text_key(text: str) -> str:
    """A key equal for texts that differ only in what tokenizers ignore: case, spaces, and the form of accents."""
    return unicodedata.normalize("NFC", _one_line(text.casefold()))


def first_few(labels: Iterable[str], most: int = 5) -> str:
    """The first of the labels, and how many more there are."""
    names = [*labels]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _single_label_note(facet: str) -> str:
    return (
        f"the facet {facet!r} has one label; its probability says little: only none_of_these gives it "
        "rivals, and without them it is always 1"
    )
