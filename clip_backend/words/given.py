"""A vocabulary of labels that were given one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...errors import InputError
from .entries import LABEL, Entry, build_vocabulary
from .vocabulary import Vocabulary


def given_labels(labels: Iterable[str], *, name: str = "labels", templates: Sequence[str] = ()) -> Vocabulary:
    """One facet of the labels, without blanks around them; those that differ in case alone are one, with a note.

    Raises InputError for no labels, and for one that is empty or no text.
    """
    if isinstance(labels, str):
        raise InputError(f"the labels are the text {labels[:40]!r}; give a list of texts")
    if not isinstance(labels, Iterable):
        raise InputError(f"the labels are a {type(labels).__name__}; give a list of texts")
    labels = list(labels)
    if not labels:
        raise InputError("no labels were given; give at least one, and two or more to choose between")
    for place, label in enumerate(labels):
        _check(label, f"label {place + 1} of {len(labels)}")
    entries = [Entry(label=label) for label in labels]
    return build_vocabulary(name, entries, templates={LABEL: tuple(templates)} if templates else None)


def _check(label: object, which: str) -> None:
    if not isinstance(label, str):
        raise InputError(f"{which} is {label!r}; a label must be a text")
    if not label.strip():
        raise InputError(f"{which} is empty; take it out")
