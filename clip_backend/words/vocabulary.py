"""Words for what pictures show, in facets that are asked one by one: medium, subject, style and so on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...errors import InputError

#: What stands for a label in a template.
SLOT = "{}"
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


def check_templates(templates: Sequence[str]) -> None:
    """Raises InputError for no templates at all, and for one in which a label has no place."""
    if not templates:
        raise InputError("there are no templates; give at least {}")
    for template in templates:
        if template.count(SLOT) != 1:
            raise InputError(f"the template {template!r} must hold {SLOT} once, where the label goes")
