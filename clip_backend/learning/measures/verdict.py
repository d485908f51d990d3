"""Whether a trained model is better than ridge, than the base model and than chance, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .estimates import Estimate, Measured, difference

Word = Literal["better", "not better", "not better than chance"]
#: What a trained model is compared with, in the order in which it is beaten.
CHANCE, BASE, RIDGE, TRAINED = "majority class", "base", "ridge", "trained"
#: Groups of the test split that it takes to tell: of 5, all speak for a model that is no better once in 2**5 times,
#: which is more than the 2.5 % above an interval of 95 %; the draws of so few would all be alike.
LEAST_GROUPS = 6


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows from the measurements."""

    word: Word
    sentence: str
    #: How much better the trained model is than each of the others, by their names.
    differences: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        found = {name: one.to_dict() for name, one in self.differences.items()}
        return {"verdict": self.word, "sentence": self.sentence, "better_by": found}


def verdict_on(arms: Mapping[str, Measured], method: str) -> Verdict:
    """The verdict on the arm ``trained``, which the method gave; it is compared with those others that are there.

    An arm is beaten where the whole interval of the difference lies above 0, and never in fewer than ``LEAST_GROUPS``
    groups. Ridge itself is compared with the base,
    and so is Platt, whose aim are the probabilities of the base.
    """
    trained = arms[TRAINED]
    gains = {name: difference(trained, arm) for name, arm in arms.items() if name != TRAINED}
    rival = RIDGE if method not in ("ridge", "platt") and RIDGE in gains else BASE if BASE in gains else CHANCE
    told = f"{method} reaches {trained.metric} {trained.main} on {trained.rows} test rows"
    if gains and trained.groups < LEAST_GROUPS:
        groups = "1 group" if trained.groups == 1 else f"{trained.groups} groups"
        return Verdict(
            word="not better", differences=gains,
            sentence=f"{told} in {groups} of pictures, too few to tell whether it is better than anything: at least "
            f"{LEAST_GROUPS} groups are needed; add examples, or give test a larger share.",
        )  # fmt: skip
    if CHANCE in gains and not gains[CHANCE].low > 0:
        chance = arms[CHANCE].main.value
        return Verdict(
            word="not better than chance", differences=gains,
            sentence=f"{told}, not better than chance ({chance:.3f}): nothing useful was learnt; look at the labels, "
            "or add examples",
        )  # fmt: skip
    if rival not in gains:
        return Verdict(word="better", differences=gains, sentence=f"{told}.")
    named = {BASE: "the base model", RIDGE: "ridge", CHANCE: "chance"}[rival]
    other, gain = arms[rival].main.value, gains[rival]
    interval = f"difference {gain.value:+.3f}, {gain.low:+.3f} to {gain.high:+.3f}"
    if gain.low > 0:
        return Verdict(
            word="better", differences=gains,
            sentence=f"{told}, better than {named} ({other:.3f}) by more than the interval ({interval}).",
        )  # fmt: skip
    cure = "use ridge, which takes seconds" if rival == RIDGE else "add examples, or use the base model as it is"
    return Verdict(
        word="not better", differences=gains,
        sentence=f"{told}, not better than {named} ({other:.3f}) by more than the interval ({interval}); {cure}.",
    )  # fmt: skip
