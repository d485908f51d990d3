"""What labelling returns: the labels of each picture with their probabilities, each with the name of its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..encoding.image_features import FailedPicture

#: The label of a picture for which no label of the vocabulary is sure enough.
UNLABELED = "unlabeled"
#: The label of a picture that is likelier to show something else than any of the labels.
NONE_OF_THESE = "none of these"


@dataclass(frozen=True, kw_only=True)
class FacetLabel:
    """A label of one facet for one picture."""

    label: str
    facet: str
    #: On the scale of the result, 0..1; that of a group is the sum of its labels'.
    probability: float


@dataclass(frozen=True, kw_only=True)
class RankedLabel(FacetLabel):
    """One of the likeliest labels of a facet, sure or not."""

    #: With the label's text; None for a class of a head, which has no text.
    cosine: float | None = None
    #: How many standard deviations the cosine is above the mean of unrelated nouns' through the same templates; None
    #: where no nouns are compared: by default those of a facet such as style.
    z: float | None = None
    #: What a model trained with a sigmoid says, 0..1; None for other models. It decides nothing: the sigmoid of a
    #: right label may be 0.0004.
    sigmoid: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``cosine``, ``z`` and ``sigmoid`` where there are any."""
        entry: dict[str, Any] = {"label": self.label, "facet": self.facet, "probability": self.probability}
        more = {"cosine": self.cosine, "z": self.z, "sigmoid": self.sigmoid}
        return entry | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class FacetResult(FacetLabel):
    """The most specific label of a facet that is sure, or "none of these"; label "" and probability 0 without one."""

    #: Every label that fits, the likeliest first; more than one only with the option ``multiple``.
    labels: tuple[str, ...]
    #: The likeliest labels, sure or not.
    top: tuple[RankedLabel, ...]
    #: Why there is no label, or "none of these".
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureLabels:
    """The labels of one picture."""

    #: The picture's path or name.
    name: str
    #: Its place in the input.
    index: int
    #: With one facet its label; with several, one or two labels in one text, such as "cat · oil painting".
    label: str
    #: The probability of the label, the least one if it is made of two; 0 for "unlabeled".
    score: float
    #: What ``score`` and the probabilities are, such as "softmax over 8 labels and 64 unrelated nouns".
    scale: str
    #: With the option ``multiple`` every label that fits; else the labels in ``label``. Empty for "unlabeled" and
    #: "none of these".
    labels: tuple[str, ...]
    #: The likeliest labels, sure or not.
    top: tuple[RankedLabel, ...]
    facets: tuple[FacetResult, ...]
    #: Why it is "unlabeled" or "none of these"; else empty.
    reason: str = ""
    source: str = "clip"

    @property
    def others(self) -> tuple[RankedLabel, ...]:
        """The likeliest labels that are not in ``labels``."""
        return tuple(one for one in self.top if one.label not in self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        entry = {
            "path": self.name,
            "label": self.label,
            "score": self.score,
            "scale": self.scale,
            "source": self.source,
        }
        facets = {one.facet: one.label for one in self.facets if one.label}
        entry |= {"labels": list(self.labels), "facets": facets, "top": [one.to_dict() for one in self.top]}
        return entry | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """The labels of all pictures in their order; those that could not be read are in ``failed``."""

    pictures: tuple[PictureLabels, ...]
    failed: tuple[FailedPicture, ...] = ()
    #: The model's name, and the vocabulary's.
    model: str
    vocabulary: str
    #: What the user should know, such as properties that the model's files lack.
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` when a picture could not be read."""
        return "partial" if self.failed else "ok"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return {
            "status": self.status,
            "model": self.model,
            "vocabulary": self.vocabulary,
            "images": [one.to_dict() for one in self.pictures],
            "failed": [one.to_dict() for one in self.failed],
            "notes": list(self.notes),
        }
