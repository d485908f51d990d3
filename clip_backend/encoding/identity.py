"""What an encoder is, beside its towers."""

from __future__ import annotations

from dataclasses import dataclass

from ..preparing.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Name, space and numbers of one encoder."""

    #: What messages call it.
    name: str
    #: Features of two encoders compare only if it is equal.
    space: str
    #: The length of an embedding; 0 for a model that gives states alone.
    dim: int
    #: Of the weights.
    fingerprint: str
    #: Everything that its numbers depend on; a part of the keys of caches.
    cache_key: str
    #: "fp32", "fp16" or "bf16".
    dtype: str
    #: How pictures are prepared; None if it takes none.
    recipe: Recipe | None = None
    #: What a cosine is multiplied by before it becomes a probability.
    logit_scale: float = 100.0
    #: What is added after that.
    logit_bias: float = 0.0
    #: Properties that nothing told, such as a scale that the file lacks.
    assumed: tuple[str, ...] = ()
    #: Why it reads no texts although it might be expected to, and the cure.
    no_texts: str = ""
    #: What the user should know about the model.
    notes: tuple[str, ...] = ()


class Identified:
    """An encoder's answers about itself, all out of its ``identity``."""

    identity: Identity

    @property
    def space(self) -> str:
        """The embedding space."""
        return self.identity.space

    @property
    def dim(self) -> int:
        """The length of an embedding; 0 if there is none."""
        return self.identity.dim

    @property
    def logit_scale(self) -> float:
        """The factor of cosines."""
        return self.identity.logit_scale

    @property
    def logit_bias(self) -> float:
        """What is added to scaled cosines."""
        return self.identity.logit_bias

    @property
    def fingerprint(self) -> str:
        """Of the weights."""
        return self.identity.fingerprint

    @property
    def recipe(self) -> Recipe | None:
        """How pictures are prepared; None without a vision tower."""
        return self.identity.recipe
