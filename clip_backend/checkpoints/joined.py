"""Two files used as one model: the vision encoder of one and the text encoder of another, if they share a space."""

from __future__ import annotations

from ...errors import CheckpointError, SpaceError
from .info import CheckpointInfo
from .spaces import own_space

_PARTNERS = (
    "clip_vision_g goes with the clip_g of SDXL, clip_vision_h with the text encoder of SD 2 "
    "and clip_vision_l with a CLIP-L that has its text_projection"
)
#: How a caller says that two files come from one model.
TRUST = "trust_space=True"
#: Sources of a space that tuned weights may have too.
_NOT_STATED = ("assumed", "header")


def joined_space(vision: CheckpointInfo, text: CheckpointInfo, *, trust_space: bool = False) -> str:
    """The embedding space of two files together.

    It is the one that both state. Where it is only known by prefix or shapes, or taken on trust, other files with them
    may be tuned: then both files stand in the id.
    trust_space: if the space of one or both is unknown and their embeddings have one length, take the caller's word
    that it is the same. Two spaces that are known to differ are refused all the same.
    Raises CheckpointError for a file without the encoder or the projection that is needed of it, SpaceError for two of
    different or unknown spaces.
    """
    _check_encoders(vision, text)
    first, second = (
        f"{info.path} ({what}, space {info.space or 'unknown'}, {info.projection} dimensions)"
        for info, what in ((vision, "pictures"), (text, "texts"))
    )
    both = f"{first} and {second} cannot be put together"
    if vision.projection != text.projection or (vision.space and text.space and vision.space != text.space):
        raise SpaceError(f"{both}: they are of different models; {_PARTNERS}")
    if vision.space and text.space:
        is_stated = not any(info.sources.get("space") in _NOT_STATED for info in (vision, text))
        return vision.space if is_stated else own_space(vision, text)
    if not trust_space:
        raise SpaceError(
            f"{both}: equal lengths do not make one space; {_PARTNERS}; "
            f"if you know that both come from one model, say so with {TRUST}"
        )
    return own_space(vision, text)


def _check_encoders(vision: CheckpointInfo, text: CheckpointInfo) -> None:
    for info in (vision, text):
        if info.problem:
            raise CheckpointError(str(info.path), info.problem)
    if vision.vision is None:
        raise CheckpointError(str(vision.path), "it has no vision tower; give a clip_vision file as the model")
    if not vision.has_vision_projection:
        raise CheckpointError(
            str(vision.path),
            "it has no visual projection, so its pictures cannot be compared with texts; get the file with projection, "
            "such as a 'CLIPVisionModelWithProjection' export or a full CLIP model",
        )
    if text.text is None:
        raise CheckpointError(str(text.path), "it has no text tower; give a CLIP text encoder as text_encoder")
    if not text.has_text_projection:
        raise CheckpointError(
            str(text.path),
            "it has no text_projection (the usual clip_l of ComfyUI does not), so its texts cannot be compared with "
            "pictures; get the full CLIP model, or clip_g for clip_vision_g",
        )
