"""The settings of labelling, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...options import option
from ..scoring.scales import is_sigmoid
from ..words.vocabulary import Vocabulary
from .answers import NONE_OF_THESE

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How sure a label must be, and what is told beside it."""

    top_k: int = option(3, "Labels listed for each picture, the likeliest first", low=1, high=1000)
    threshold: float = option(
        0.0,
        "Least probability of a label; 0 = automatic: 0.2, or 0.5 where several labels are wanted; for SigLIP, whose "
        "values are low, 0.02",
        low=0,
        high=1,
    )
    templates: str = option(
        "",
        "Sentences around a label, one per line, such as a photo of {}; empty = those of the vocabulary",
        multiline=True,
    )
    margin: float = option(
        0.02, "How much more probable than the next one the best label must be", low=0, high=1, advanced=True
    )
    multiple: bool = option(False, "Give every label that fits, not only the best one", advanced=True)
    none_of_these: bool = option(
        True,
        "Let a picture be none of the given labels: they compete with captions of everyday things",
        advanced=True,
    )
    noise_floor: bool = option(True, "Give no label to a picture that fits it no better than noise does", advanced=True)
    prior: str = option(
        AUTO,
        "Take off what a label scores on pictures of nothing, so that none wins everywhere: auto = for vocabularies of "
        "several facets",
        choices=(AUTO, "remove", "keep"),
        advanced=True,
    )


#: Least probabilities of a label that are taken where none is given: of a softmax, of SigLIP's sigmoid, and of a label
#: that is judged alone by a model that was trained with a softmax.
SOFTMAX, SIGMOID, ALONE = 0.2, 0.02, 0.5


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How cosines become labels."""

    #: Whether the model judges each pair alone, as SigLIP does.
    is_sigmoid: bool
    #: Whether every label that fits is given.
    multiple: bool
    #: Whether labels of several facets are put together to one.
    is_composed: bool
    #: Whether what labels score on pictures of nothing is taken off.
    removes_prior: bool
    #: Whether a picture can be none of the labels.
    allows_none: bool
    #: Whether a label must be above what noise reaches.
    has_floor: bool
    threshold: float
    margin: float
    top_k: int
    #: What the probabilities are, in words.
    scale: str

    @property
    def needs_noise(self) -> bool:
        """Whether pictures of nothing are needed for comparison."""
        return self.has_floor or self.removes_prior

    @property
    def needs_neutral(self) -> bool:
        """Whether captions of everyday things are needed for comparison."""
        return not self.is_sigmoid and (self.multiple or self.allows_none)

    @property
    def judges_alone(self) -> bool:
        """Whether the probability of a label does not depend on the others."""
        return self.is_sigmoid or self.multiple


def rules_for(encoder: Encoder, vocabulary: Vocabulary, options: LabelOptions) -> Rules:
    """The rules for this model and vocabulary."""
    sigmoid, several = is_sigmoid(encoder), len(vocabulary.facets) > 1
    automatic = SIGMOID if sigmoid else ALONE if options.multiple else SOFTMAX
    removes_prior = several if options.prior == AUTO else options.prior == "remove"
    allows_none = options.none_of_these and not several
    scale = _sigmoid_scale(sigmoid) if sigmoid or options.multiple else _softmax_scale(vocabulary, allows_none)
    return Rules(
        is_sigmoid=sigmoid,
        multiple=options.multiple,
        is_composed=several,
        removes_prior=removes_prior,
        allows_none=allows_none,
        has_floor=options.noise_floor,
        threshold=options.threshold or automatic,
        margin=options.margin,
        top_k=options.top_k,
        scale=scale + (", prior removed" if removes_prior else ""),
    )


def _sigmoid_scale(sigmoid: bool) -> str:
    return "sigmoid" if sigmoid else "sigmoid against captions of everyday things"


def _softmax_scale(vocabulary: Vocabulary, allows_none: bool) -> str:
    if len(vocabulary.facets) > 1:
        return "softmax over the labels of each facet"
    count = len(vocabulary)
    return f"softmax over {count} label{'s' * (count > 1)}" + (f" and {NONE_OF_THESE}" if allows_none else "")
