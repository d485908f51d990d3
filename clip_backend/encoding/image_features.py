"""What a vision tower says about pictures: every state under its own name and with its true shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from ...errors import InputError
from .features import Features

if TYPE_CHECKING:
    from torch import Tensor

    from ..preparing.recipe import Recipe


Want = Literal["embeds", "cls_hidden", "patch_tokens", "penultimate_hidden", "last_hidden", "projected_patches"]
#: Where a picture failed.
Stage = Literal["read", "encode"]
WANTS: tuple[Want, ...] = get_args(Want)
#: What is asked for under a shorter name than its field has.
FIELD_OF: Mapping[str, str] = {want: "image_embeds" if want == "embeds" else want for want in WANTS}


@dataclass(frozen=True)
class FailedPicture:
    """A picture that has no row, and why."""

    #: Its place among the pictures that were given.
    index: int
    name: str
    #: "read" for a picture that cannot be decoded or prepared, "encode" for one whose numbers are not finite.
    stage: Stage
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Plain JSON values, as every report has them."""
        return {"path": self.name, "reason": self.reason}


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFeatures:
    """States of N pictures, float32 on the processor; a state that is not there is None, and ``absent`` says why.

    T counts the class token and the registers, if the model has them, and the patches; W is the tower's width and P
    its projection.
    """

    #: The projected embedding, not normalised [N, P].
    image_embeds: Tensor | None = None
    #: The class token's row of ``last_hidden`` [N, W].
    cls_hidden: Tensor | None = None
    #: The patches' rows of ``last_hidden`` [N, grid, W], row by row of the picture's grid.
    patch_tokens: Tensor | None = None
    #: The states before the last layer, with the class token [N, T, W]: ``hidden_states[-2]`` of transformers.
    penultimate_hidden: Tensor | None = None
    #: The states after the last layer and before the final norm [N, T, W]: ``hidden_states[-1]`` of transformers.
    last_hidden: Tensor | None = None
    #: Every token through final norm and projection [N, T, P]; the class token's row equals ``image_embeds``.
    projected_patches: Tensor | None = None

    #: The name of each row.
    names: tuple[str, ...]
    #: The place of each row among the pictures that were given.
    kept: tuple[int, ...]
    failed: tuple[FailedPicture, ...] = ()
    #: Why a state is not there, by field.
    absent: Mapping[str, str] = field(default_factory=dict)
    #: What the user should know, such as that memory ran out and the processor was used.
    notes: tuple[str, ...] = ()

    #: Rows and columns of patches.
    grid: tuple[int, int]
    hidden_size: int
    #: The length of an embedding; None for a model without projection.
    projection_dim: int | None
    num_tokens: int
    has_class_token: bool = True
    #: Tokens between the class token and the patches, which stand for no place in the picture.
    registers: int = 0
    recipe: Recipe
    #: The fingerprint of the weights.
    fingerprint: str
    space: str
    #: The type of number in which the tower computed: "fp32", "fp16" or "bf16".
    dtype: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def image_embeds_norm(self) -> Tensor:
        """``image_embeds`` made length 1 [N, P]; raises InputError where they are absent."""
        from torch.nn.functional import normalize

        return normalize(self.require("image_embeds"), dim=-1)

    def require(self, name: str) -> Tensor:
        """The state of this name; raises InputError with the reason and the cure if it is not there."""
        name = FIELD_OF.get(name, name)
        if name not in FIELD_OF.values():
            raise InputError(f"there is no state {name!r}; choose from {', '.join(FIELD_OF.values())}")
        state: Tensor | None = getattr(self, name)
        if state is None:
            want = next(want for want, field_name in FIELD_OF.items() if field_name == name)
            default = f"{name} was not asked for; add {want!r} to wants"
            raise InputError(self.absent.get(name, default))
        return state

    def to_features(self, ids: Sequence[str] | None = None) -> Features:
        """The embeddings as unit vectors, named by the pictures or by ``ids``."""
        return Features.from_raw(self.require("image_embeds").numpy(), self.names if ids is None else ids, self.space)


def check_wants(wants: Sequence[str]) -> tuple[Want, ...]:
    """The wanted states, each once and in a fixed order; raises InputError for an unknown name or none at all."""
    if isinstance(wants, str):
        wants = (wants,)
    short = {field_name: want for want, field_name in FIELD_OF.items()}
    asked = {short.get(want, want) for want in wants}
    unknown = sorted(asked - set(WANTS))
    if unknown or not asked:
        raise InputError(f"wants names {', '.join(map(repr, unknown)) or 'nothing'}; choose from {', '.join(WANTS)}")
    return tuple(want for want in WANTS if want in asked)
