"""A split: which examples are trained on, chosen by, and tested on, as it is used and as it is kept in a file."""

from __future__ import annotations

from dataclasses import dataclass

from .dataset import PARTS, Part


@dataclass(frozen=True)
class Split:
    """The parts of a data set; examples of one group are in one part."""

    #: Of each example of the data set; "" for one that is left out.
    parts: tuple[Part, ...]
    #: The name of the group of each example: part of the smallest hash of its pictures.
    groups: tuple[str, ...]
    #: The hash of the content of each example's picture; empty for one that cannot be read.
    hashes: tuple[str, ...]
    #: What the order of the groups depends on beside their hashes.
    seed: int = 0

    @property
    def train(self) -> tuple[int, ...]:
        """Indices of the examples that are trained on, ascending."""
        return self.of("train")

    @property
    def val(self) -> tuple[int, ...]:
        """Indices of the examples by which settings are chosen, ascending."""
        return self.of("val")

    @property
    def test(self) -> tuple[int, ...]:
        """Indices of the examples that measure the result, ascending."""
        return self.of("test")

    def of(self, part: Part) -> tuple[int, ...]:
        """Indices of the examples of a part, ascending."""
        return tuple(index for index, own in enumerate(self.parts) if own == part)

    def to_dict(self) -> dict[str, object]:
        """Sizes of the parts, for reports."""
        return {"seed": self.seed, "groups": len(set(self.groups)), **{part: len(self.of(part)) for part in PARTS}}
