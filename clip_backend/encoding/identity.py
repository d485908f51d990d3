"""What identifies an encoder: name, embedding space, scale and fingerprint."""

from __future__ import annotations

from dataclasses import dataclass

from ..preparing.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Name, space and numbers of one encoder."""

    #: Its name in messages.
    name: str
    #: Features of two encoders compare only if it is equal.
    space: str
    #: The length of an embedding; 0 for a model with token states only.
    dim: int
    #: A hash of the weights.
    fingerprint: str
    #: Everything that its numbers depend on; part of the cache keys.
    cache_key: str
    #: "fp32", "fp16" or "bf16".
    dtype: str
    #: How pictures are prepared; None if it takes none.
    recipe: Recipe | None = None
    #: The factor of cosines in logits.
    logit_scale: float = 100.0
    #: What is added to scaled cosines.
    logit_bias: float = 0.0
    #: Properties that no file states, such as a missing scale.
    assumed: tuple[str, ...] = ()
    #: Why it encodes no texts, where that is not obvious, and the cure.
    no_texts: str = ""
    #: Notes for the user about the model.
    notes: tuple[str, ...] = ()


class HasIdentity:
    """The properties of an encoder that come from its ``identity``."""

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
        """A hash of the weights."""
        return self.identity.fingerprint

    @property
    def recipe(self) -> Recipe | None:
        """How pictures are prepared; None without a vision tower."""
        return self.identity.recipe
