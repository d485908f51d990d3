"""The head that a call labels by: one that is given, or that of the run that is given as the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..clip_backend.learning.heads.head import Head, read_head
from ..errors import InputError
from .models import Model, ModelChoice
from .pictures import StrPath


@dataclass(frozen=True)
class NamedHead:
    """A head and what results call it."""

    head: Head
    name: str


def chosen_head(given: Head | StrPath | None, model: Model, *, has_words: bool) -> tuple[ModelChoice, NamedHead | None]:
    """The model that a call means, and the head by which it labels; None where words are asked for.

    given: a head, its file or its run; without a model, that on which it was learnt. has_words: whether labels or a
    vocabulary are given, which beat the head of a run that is the model. Raises InputError for a head and words, and
    for a file that is none.
    """
    opened = ModelChoice.of(model)
    if given is not None and has_words:
        raise InputError("both a head and labels or a vocabulary were given; give one of them")
    if isinstance(given, Head):
        return opened, NamedHead(given, "head")
    if given is not None:
        head = NamedHead(read_head(given), _name(Path(given)))
        return opened if opened.is_chosen else opened.with_model(Path(given).expanduser()), head
    learnt = None if has_words else opened.learnt
    if learnt is None or learnt.head is None:
        return opened, None
    strength = opened.given.get("strength")
    if learnt.trained and strength not in (None, learnt.trained.strength):
        raise InputError(
            f"the head of {_name(learnt.path)} belongs to the strength {learnt.trained.strength:g} of its training, "
            f"not to {strength:g}; leave strength out, or give labels"
        )
    return opened, NamedHead(read_head(learnt.head), _name(learnt.path))


def _name(path: Path) -> str:
    """The name of a run, or of a head's file."""
    return path.name or str(path)
