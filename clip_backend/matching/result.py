"""Options and results of matching: every score under the name of its scale, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...options import option
from ..encoding.image_features import FailedPicture

#: How the option for it is explained.
PROMPT_SYNTAX_HELP = (
    "Leave out prompt syntax, such as (weights:1.2), <lora:names> and BREAK; captions without any stay as they are"
)
#: What a threshold is compared with.
ThresholdScale = Literal["z", "cosine", "percentile", "probability"]
AUTO, CUSTOM = "auto", "threshold"


@dataclass(frozen=True)
class Limit:
    """The threshold of a match, and the scale it is on."""

    threshold: float
    scale: ThresholdScale


#: z and percentiles mean the same for each model. Of 500 photographs by OpenAI B/16, z reaches 2 with 94.5 % of their
#: own captions and with 3.6 % of those of others. The cosines were chosen for OpenAI's B/32 and B/16.
PRESETS: Mapping[str, Limit] = {
    AUTO: Limit(2.0, "z"),
    "z 1.5": Limit(1.5, "z"),
    "z 2.5": Limit(2.5, "z"),
    "percentile 90": Limit(90.0, "percentile"),
    "percentile 95": Limit(95.0, "percentile"),
    "percentile 99": Limit(99.0, "percentile"),
    "lenient": Limit(0.20, "cosine"),
    "balanced": Limit(0.25, "cosine"),
    "strict": Limit(0.30, "cosine"),
}
MODES = (AUTO, "pairs", "matrix", "broadcast")


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """When a picture matches a text, and how the two are put together."""

    threshold: float = option(
        0.0, "Least cosine of a match, such as 0.25; 0 = automatic, by the preset", low=-1, high=1
    )
    mode: str = option(
        AUTO,
        "pairs: the first picture with the first text, and so on; matrix: every picture with every text; broadcast: "
        "one picture with all texts or one text with all pictures; auto: broadcast if one stands alone, else pairs",
        choices=MODES,
    )
    preset: str = option(
        AUTO,
        "auto: z of 2, by how many standard deviations the text must fit better than unrelated texts of its length, "
        "which means the same for every model; percentile: how many of a hundred of them it must beat; lenient, "
        "balanced, strict: cosines of 0.20, 0.25, 0.30, made for OpenAI B/32 and B/16; threshold: the number above",
        choices=(AUTO, CUSTOM, *(name for name in PRESETS if name != AUTO)),
    )
    phrases: bool = option(True, "Also score each phrase of a text, to tell which part of it is missing")
    long_text: str = option(
        "mean",
        "A text longer than the model reads: mean or max of its parts, or truncate its end",
        choices=("mean", "max", "truncate"),
        advanced=True,
    )
    template: str = option(
        "{}", "Sentence around each text, such as A photo depicts {} of the CLIPScore paper", advanced=True
    )
    prompt_syntax: bool = option(True, PROMPT_SYNTAX_HELP, advanced=True)


#: What is known of a phrase.
PhraseStatus = Literal["shown", "unclear", "missing"]
Verdict = Literal["match", "weak", "mismatch", "undecided"]
STATUS: dict[Verdict, str] = {
    "match": "Match",
    "weak": "Weak match",
    "mismatch": "Mismatch",
    "undecided": "Undecided",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PhraseScore:
    """How one phrase of a text fits the picture."""

    text: str
    #: Cosine of the picture with the phrase alone.
    cosine: float
    #: Place of the phrase alone among unrelated short texts, as in ``MatchResult``.
    z: float
    percentile: float
    #: By how much the whole text's cosine falls when the phrase is left out, in standard deviations of the cosines of
    #: unrelated captions; below 0, the picture fits better without it. 0 for a text that is one phrase.
    support: float
    status: PhraseStatus

    @property
    def is_missing(self) -> bool:
        """Whether the picture seems to lack what the phrase says."""
        return self.status == "missing"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        scores = {"cosine": self.cosine, "z": self.z, "percentile": self.percentile, "support": self.support}
        return {"text": self.text} | scores | {"status": self.status, "is_missing": self.is_missing}


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchResult:
    """One picture and one text, with every number named by its scale."""

    #: The picture's path or name, and its place among those that were given.
    image: str
    image_index: int
    text: str
    text_index: int
    #: -1..1.
    cosine: float
    #: 2.5 * max(cosine, 0) (Hessel et al. 2021).
    clip_score: float
    #: 0..1; ``probability_scale`` says of what.
    probability: float
    #: "softmax against 128 unrelated texts", "sigmoid" or "calibrated".
    probability_scale: str
    #: Standard deviations of the cosine above the mean of unrelated texts of its length for this picture.
    z: float
    #: How many of a hundred of these texts fit this picture worse, 0..100.
    percentile: float
    verdict: Verdict
    #: What the verdict compared, with ``threshold_scale``.
    threshold: float
    threshold_scale: ThresholdScale
    #: Why, in words.
    reason: str
    phrases: tuple[PhraseScore, ...] = ()
    #: The end of the text that the model did not read.
    dropped: str = ""
    #: Percentage of this run's pictures that fit the text worse, itself counting half; None for fewer than
    #: 8 different ones.
    picture_percentile: float | None = None
    model: str

    @property
    def is_match(self) -> bool:
        """Whether the verdict is match."""
        return self.verdict == "match"

    @property
    def missing_phrases(self) -> tuple[PhraseScore, ...]:
        """The phrases that the picture seems to lack."""
        return tuple(phrase for phrase in self.phrases if phrase.is_missing)

    @property
    def weakest_phrase(self) -> PhraseScore | None:
        """The phrase with the least support, which is the wrong one if one is; None where none were scored."""
        return min(self.phrases, key=lambda phrase: phrase.support, default=None)

    @property
    def status(self) -> str:
        """The verdict with the cosine, for people: "Match (score: 0.310)"."""
        return f"{STATUS[self.verdict]} (score: {self.cosine:.3f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return {
            "image": self.image,
            "text": self.text,
            "cosine": self.cosine,
            "clip_score": self.clip_score,
            "clip_score_100": 100 * max(self.cosine, 0.0),
            "probability": self.probability,
            "probability_scale": self.probability_scale,
            "z": self.z,
            "percentile": self.percentile,
            "picture_percentile": self.picture_percentile,
            "verdict": self.verdict,
            "reason": self.reason,
            "threshold": self.threshold,
            "threshold_scale": self.threshold_scale,
            "model": self.model,
            "phrases": [phrase.to_dict() for phrase in self.phrases],
            "dropped": self.dropped,
            "clip_similarity_score": self.cosine,
            "clip_match_status": self.status,
            "clip_is_match": self.is_match,
        }


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The results of a run in their order: pair by pair, or picture by picture with every text of it."""

    results: tuple[MatchResult, ...]
    #: How pictures and texts were put together: pairs, matrix or broadcast.
    mode: str
    #: Numbers of pictures and texts that were given.
    shape: tuple[int, int]
    failed: tuple[FailedPicture, ...] = ()
    model: str
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` when a picture could not be read."""
        return "partial" if self.failed else "ok"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        failed = [one.to_dict() for one in self.failed]
        head = {"status": self.status, "model": self.model, "mode": self.mode}
        return head | {
            "matches": [one.to_dict() for one in self.results],
            "failed": failed,
            "notes": list(self.notes),
        }
