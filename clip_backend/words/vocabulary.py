"""Words for what pictures show, in facets that are asked one by one: medium, subject, style and so on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...errors import InputError
from ...options import SLOT, check_templates

#: The label alone.
PLAIN = (SLOT,)


@dataclass(frozen=True, kw_only=True)
class Facet:
    """Labels that exclude each other, and the sentences that are put around them.

    Raises InputError without labels, for an empty or repeated one, for one that is a kind of itself, and for a template
    without ``{}``.
    """

    name: str
    labels: tuple[str, ...]
    templates: tuple[str, ...] = PLAIN
    #: Label -> what it is a kind of, which may have a parent of its own; parents need not be labels.
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
            self.above(label)

    def above(self, label: str) -> tuple[str, ...]:
        """What a label is a kind of, the nearest first; () for one without a parent."""
        way = [label]
        while (parent := self.parents.get(way[-1])) is not None:
            if parent in way:
                raise InputError(f"in the facet {self.name!r}, {parent!r} is a kind of itself; take a parent out")
            way.append(parent)
        return tuple(way[1:])


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Facets under one name; raises InputError without any, or with two of one name."""

    name: str
    facets: tuple[Facet, ...]
    #: What the user should know, such as labels that were given twice.
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
        """The same words in other sentences; itself if there are none."""
        if not templates:
            return self
        return replace(self, facets=tuple(replace(facet, templates=tuple(templates)) for facet in self.facets))


#: The facet of labels that were given without one.
LABEL = "label"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One label where it was listed."""

    label: str
    facet: str = LABEL
    #: What it is a kind of, the widest first; if its own name comes last, it stands for the whole group.
    above: tuple[str, ...] = ()


@dataclass
class _Draft:
    """A facet that is being put together; texts that a model reads alike are one, in the spelling that came first."""

    name: str
    spellings: dict[str, str] = field(default_factory=dict)
    labels: dict[str, None] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    #: Labels that came more than once, and those that came under a second parent.
    twice: dict[str, None] = field(default_factory=dict)
    elsewhere: dict[str, None] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        *above, label = (self._spelling(name) for name in (*entry.above, entry.label))
        if above and above[-1] == label:
            above.pop()
        if label in self.labels:
            self.twice[label] = None
        self.labels[label] = None
        for child, parent in zip([*above[1:], label], above, strict=False):
            if self.parents.setdefault(child, parent) != parent:
                self.elsewhere[child] = None

    def _spelling(self, text: str) -> str:
        return self.spellings.setdefault(same_text(text), " ".join(text.split()))

    def notes(self) -> Iterator[str]:
        if self.twice:
            yield f"listed more than once and taken once: {some(self.twice)}"
        if self.elsewhere:
            yield f"listed under two parents, of which the first counts: {some(self.elsewhere)}"
        if len(self.labels) == 1:
            yield _alone(self.name)


def build_vocabulary(
    name: str, entries: Iterable[Entry], *, templates: Mapping[str, tuple[str, ...]] | None = None
) -> Vocabulary:
    """The entries in facets, in the order in which they came, with a note on what was merged.

    templates: of some facets; the others have the label alone. Raises InputError as Facet and Vocabulary do.
    """
    drafts: dict[str, _Draft] = {}
    for entry in entries:
        drafts.setdefault(same_text(entry.facet), _Draft(" ".join(entry.facet.split()))).add(entry)
    given = {same_text(facet): sentences for facet, sentences in (templates or {}).items()}
    facets = tuple(
        Facet(name=one.name, labels=tuple(one.labels), templates=given.get(key, PLAIN), parents=one.parents)
        for key, one in drafts.items()
    )
    return Vocabulary(name=name, facets=facets, notes=tuple(note for one in drafts.values() for note in one.notes()))


def join(first: Vocabulary, second: Vocabulary) -> Vocabulary:
    """Both vocabularies in one; facets of one name become one, in the sentences of the second if it has its own."""
    own = [facet for facet in second.facets if facet.templates != PLAIN]
    templates = {same_text(facet.name): facet.templates for facet in (*first.facets, *own)}
    entries = [*_entries(first), *_entries(second)]
    both = build_vocabulary(f"{first.name} + {second.name}", entries, templates=templates)
    # a facet that had one label may have more now; if not, it is told again
    alone = {_alone(facet.name) for facet in (*first.facets, *second.facets)}
    notes = [note for note in (*first.notes, *second.notes) if note not in alone]
    return replace(both, notes=(*notes, *both.notes))


def same_text(text: str) -> str:
    """What texts share that differ only in what tokenizers ignore: case, blanks, and how accents are stored."""
    return unicodedata.normalize("NFC", " ".join(text.casefold().split()))


def _entries(vocabulary: Vocabulary) -> Iterator[Entry]:
    for facet in vocabulary.facets:
        for label in facet.labels:
            yield Entry(label=label, facet=facet.name, above=facet.above(label)[::-1])


def _alone(facet: str) -> str:
    return (
        f"the facet {facet!r} has one label; its probability says little: only none_of_these gives it "
        "rivals, and without them it is always 1"
    )


def some(labels: Iterable[str], most: int = 5) -> str:
    """The first of the labels, and how many more there are."""
    names = [*labels]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
