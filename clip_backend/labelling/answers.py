"""What labelling says of pictures: labels with their probabilities, each with the name of its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..encoding.image_features import FailedPicture

#: Of a picture that no label of a vocabulary fits well enough.
UNLABELED = "unlabeled"
#: Of a picture that is none of the labels that were given.
NONE_OF_THESE = "none of these"


@dataclass(frozen=True, kw_only=True)
class RankedLabel:
    """One label of one facet as it fits one picture."""

    label: str
    facet: str
    #: On the scale of the answer.
    probability: float
    cosine: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"label": self.label, "facet": self.facet, "probability": self.probability, "cosine": self.cosine}


@dataclass(frozen=True, kw_only=True)
class FacetAnswer:
    """What one facet says of one picture."""

    facet: str
    #: The deepest label of which it is sure, "none of these", or "" if there is none.
    label: str
    #: Its probability, a parent's being that of all its children; 0 without a label.
    probability: float
    #: Every label that fits, the likeliest first; more than one only where several were asked for.
    labels: tuple[str, ...]
    #: The likeliest ones, sure or not.
    top: tuple[RankedLabel, ...]
    #: Why there is no label, or none of these.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureLabels:
    """What a picture shows."""

    #: The picture's path or name.
    name: str
    #: Its place among the pictures that were given.
    index: int
    #: Of a vocabulary of one facet its label; of several, the words that say most, such as "cat · oil painting".
    label: str
    #: The probability of the label, of its least sure word if there are several; 0 for "unlabeled".
    score: float
    #: What ``score`` and the probabilities are, such as "softmax over 8 labels" or "sigmoid".
    scale: str
    #: Every label that fits, where several were asked for; else the words of ``label``. Empty for "unlabeled" and
    #: "none of these".
    labels: tuple[str, ...]
    #: The likeliest labels, sure or not.
    top: tuple[RankedLabel, ...]
    facets: tuple[FacetAnswer, ...]
    #: Why there is no label, or none of these; empty if there is one.
    reason: str = ""
    source: str = "clip"

    @property
    def others(self) -> tuple[RankedLabel, ...]:
        """The likeliest labels that were not given to it."""
        return tuple(one for one in self.top if one.label not in self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        told = {"path": self.name, "label": self.label, "score": self.score, "scale": self.scale, "source": self.source}
        facets = {answer.facet: answer.label for answer in self.facets if answer.label}
        rest = {"labels": list(self.labels), "facets": facets, "top": [one.to_dict() for one in self.top]}
        return told | rest | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """The labels of a run, in the order of the pictures; those that could not be read are in ``failed``."""

    pictures: tuple[PictureLabels, ...]
    failed: tuple[FailedPicture, ...] = ()
    #: The model's name, and the vocabulary's.
    model: str
    vocabulary: str
    #: What the user should know, such as what the model's file does not tell.
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` when a picture could not be read."""
        return "partial" if self.failed else "ok"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        failed = [one.to_dict() for one in self.failed]
        told = {"status": self.status, "model": self.model, "vocabulary": self.vocabulary}
        return told | {"images": [one.to_dict() for one in self.pictures], "failed": failed, "notes": list(self.notes)}
