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
    #: Why it reads no texts although it might be expected to.
    no_texts: str = ""
    #: What the user should know about the model.
    notes: tuple[str, ...] = ()
