"""What the check of a model measured, what of it is unusual, and the one sentence that follows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..matching.result import AUTO, PRESETS
from ..matching.scores import LEAST_Z
from ..scoring.scales import LengthClass
from ..shapes_demo import SHAPES_DEMO

Range = tuple[float, float]
Conclusion = Literal["defaults hold", "calibrate", "order wrong", "no conclusion"]
#: From which z on a text matches.
MATCH_Z = PRESETS[AUTO].threshold
#: Ranges over the families with published cosines: mean of a bank, standard deviation within a picture, and the
#: deviation of captions by that of short texts.
USUAL_MEANS: Range = (-0.06, 0.22)
USUAL_DEVIATIONS: Range = (0.012, 0.07)
USUAL_RATIOS: Range = (1.3, 2.2)
#: Twelve pictures of a usual model may have ratios from 1.15 to 2.4; beyond these limits it is the model.
POSSIBLE_RATIOS: Range = (1.0, 2.6)
#: How many of five pictures must rank their own caption first; not all models recognise drawings.
LEAST_FIRST = {"photographs": 5, "drawings": 4}
#: How many of five words must match their pictures.
LEAST_WORDS = 4
#: The share of bank texts that may match pictures of nothing.
MOST_MATCHED = 0.03
#: How far a cosine may be from the published one, which has two decimals.
PUBLISHED_TOLERANCE = 0.02
#: What makes the order wrong.
CAUSES = (
    "the pair of files (both must be of one training)", "the tokenizer", "the activation (gelu or quick_gelu)",
    "mean and std of the preprocessing", "the padding of texts",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CheckedModel:
    """The model as a report may name it: without folders of the machine."""

    #: One file, or that with the vision encoder and that with the text encoder.
    files: tuple[str, ...]
    fingerprint: str
    #: Empty if nothing but the file itself is known to be of it.
    space: str
    dim: int
    dtype: str
    logit_scale: float
    logit_bias: float
    is_sigmoid: bool
    #: Properties that no file states.
    assumed: tuple[str, ...]
    #: Whether it is the bundled model, which knows drawn shapes only.
    is_demo: bool
    #: Size, fit, interpolation, mean and std of the preprocessing.
    preprocessing: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its files."""
        return " + ".join(self.files)


@dataclass(frozen=True, kw_only=True)
class BankFigures:
    """Cosines of the twelve pictures with the bank texts of one length."""

    mean: float
    #: Standard deviation among the texts, averaged over the pictures.
    deviation: float
    #: Standard deviation of the pictures' means, and of the texts' means.
    picture_deviation: float
    text_deviation: float


@dataclass(frozen=True, kw_only=True)
class OwnText:
    """A picture with its own caption among the eight, and with its word."""

    picture: str
    #: With the eight captions, in their order.
    cosines: tuple[float, ...]
    caption: str
    cosine: float
    #: 1 if no other of the eight fits better.
    rank: int
    z: float
    word: str
    word_cosine: float
    word_z: float


@dataclass(frozen=True, kw_only=True)
class NothingFigures:
    """Pictures of one kind that show nothing."""

    kind: str
    pictures: int
    #: How many are told by their pixels, so that nothing matches them.
    by_pixels: int
    #: The lowest cosine of two of them.
    least_alike: float
    #: The share of bank texts that fit them with a z of a match, whatever the pixels say.
    above_z: float
    #: The real picture nearest to one of them.
    nearest: str
    nearest_cosine: float


@dataclass(frozen=True, kw_only=True)
class ModelCheck:
    """Everything that was measured; cosines unless another scale is named."""

    model: CheckedModel
    pictures: Literal["photographs", "drawings"]
    bank_version: int
    banks: Mapping[LengthClass, BankFigures]
    #: Pictures among themselves, and captions: mean and standard deviation.
    among_pictures: tuple[float, float]
    among_captions: tuple[float, float]
    #: The distance between the mean picture and the mean caption.
    gap: float
    captions: tuple[str, ...]
    order: tuple[OwnText, ...]
    #: The largest difference to the published cosines, by model; empty for other models than B/32, or for drawings.
    published: Mapping[str, float]
    nothing: tuple[NothingFigures, ...]
    #: The share of pairs of a picture of nothing and a bank text that are called a match.
    nothing_matched: float
    #: Notes on the run, for the user.
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """The deviation of captions by that of short texts."""
        return self.banks["long"].deviation / max(self.banks["short"].deviation, 1e-9)

    @property
    def is_order_right(self) -> bool:
        """Whether the pictures find their own captions first, and these are no mismatches."""
        return sum(own.rank == 1 and own.z >= LEAST_Z for own in self.order) >= LEAST_FIRST[self.pictures]

    @property
    def nearest_published(self) -> tuple[str, float] | None:
        """The published model whose cosines are nearest, and the largest difference to them."""
        return min(self.published.items(), key=lambda item: item[1], default=None)

    @property
    def conclusion(self) -> Conclusion:
        """The sentence in short; "no conclusion" for the bundled model, which knows none of the pictures."""
        if self.model.is_demo:
            return "no conclusion"
        if not self.is_order_right:
            return "order wrong"
        return "calibrate" if any(self._unusual()) else "defaults hold"

    @property
    def sentence(self) -> str:
        """What follows from the figures, with what to do."""
        names = [shlex.quote(file) for file in self.model.files]
        flags = f"--model {' --text-encoder '.join(names)}"
        return {
            "defaults hold": "defaults hold: order and spread are as expected",
            "calibrate": "order right, spread unusual: calibrate with about 50 labelled pairs of your own, as in: "
            f"clip-grid match-batch labelled.csv {flags} --save-calibration mine.json",
            "order wrong": f"order wrong: the files do not belong together; check {', '.join(CAUSES)}",
            "no conclusion": f"no conclusion: {SHAPES_DEMO} knows drawn shapes only, and none is in these pictures",
        }[self.conclusion]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is outside the usual ranges, and what was not found first."""
        return (*self._misplaced(), *self._unusual(), *self._uncommon())

    def _misplaced(self) -> Iterator[str]:
        for own in self.order:
            if own.rank > 1:
                best = self.captions[max(range(len(own.cosines)), key=own.cosines.__getitem__)]
                yield f"{own.picture}: {best!r} fits the picture better than its own caption"

    def _unusual(self) -> Iterator[str]:
        """What a calibration mends."""
        for length, figures in self.banks.items():
            yield from _outside(f"the deviation of {_TEXTS[length]}", figures.deviation, USUAL_DEVIATIONS)
        if not POSSIBLE_RATIOS[0] <= self.ratio <= POSSIBLE_RATIOS[1]:
            yield from self._ratio()
        for own in self.order:
            if own.z < MATCH_Z:
                yield f"{own.picture}: its own caption has z {own.z:.1f}; a match needs {MATCH_Z:g}"
        matched = sum(own.word_z >= MATCH_Z for own in self.order)
        if matched < LEAST_WORDS:
            yield f"{matched} of {len(self.order)} words match their pictures; usual are {LEAST_WORDS} at least"
        if self.model.space == _PUBLISHED_SPACE and (far := self._far_from_published()):
            yield f"{far}; unless it was fine-tuned, check {', '.join(CAUSES[1:])}"

    def _uncommon(self) -> Iterator[str]:
        """What z makes up for, and what may have a good reason."""
        for length, figures in self.banks.items():
            yield from _outside(f"the mean of {_TEXTS[length]}", figures.mean, USUAL_MEANS)
        if POSSIBLE_RATIOS[0] <= self.ratio <= POSSIBLE_RATIOS[1]:
            yield from self._ratio()
        if self.nothing_matched > MOST_MATCHED:
            yield f"{self.nothing_matched:.1%} of texts match pictures of nothing; usual are {MOST_MATCHED:.0%} at most"
        if self.model.space != _PUBLISHED_SPACE and (far := self._far_from_published()):
            yield f"{far}, as those of another training are"

    def _ratio(self) -> Iterator[str]:
        yield from _outside("the deviation of captions by that of short texts", self.ratio, USUAL_RATIOS)

    def _far_from_published(self) -> str:
        if (nearest := self.nearest_published) is None or nearest[1] <= PUBLISHED_TOLERANCE:
            return ""
        return f"the cosines are up to {nearest[1]:.2f} away from the published ones of {nearest[0]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: every figure, the ranges, the warnings and the conclusion."""
        limits = {
            "mean": USUAL_MEANS, "deviation": USUAL_DEVIATIONS, "ratio": USUAL_RATIOS, "z": MATCH_Z,
            "first": LEAST_FIRST[self.pictures], "words": LEAST_WORDS, "nothing_matched": MOST_MATCHED,
            "published": PUBLISHED_TOLERANCE,
        }  # fmt: skip
        judged = {
            "ratio": self.ratio, "limits": limits, "warnings": self.warnings, "conclusion": self.conclusion,
            "sentence": self.sentence,
        }  # fmt: skip
        return asdict(self) | judged


_TEXTS: Mapping[LengthClass, str] = {"short": "short texts", "long": "captions"}
#: The model whose cosines were published, where a file states that it is of it.
_PUBLISHED_SPACE = "openai/clip-vit-base-patch32"


def _outside(what: str, value: float, usual: Range) -> Iterator[str]:
    low, high = usual
    if not low <= value <= high:
        yield f"{what} is {value:.3f}; usual are {low:g} to {high:g}"
