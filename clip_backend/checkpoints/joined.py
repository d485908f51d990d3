"""Two files put together: the pictures' tower of one and the texts' tower of another, if both are of one space."""

from __future__ import annotations

from ...errors import CheckpointError, SpaceError
from .info import CheckpointInfo

_MATES = (
    "clip_vision_g goes with the clip_g of SDXL, clip_vision_h with the text encoder of SD 2 "
    "and clip_vision_l with a CLIP-L that has its text_projection"
)


def pair_space(vision: CheckpointInfo, text: CheckpointInfo, *, trust_space: bool = False) -> str:
    """The embedding space of two files, once it is sure that they share it.

    trust_space: where the file of one or both does not tell its space and the lengths of embeddings agree, take the
    caller's word for it. Two that are known to differ are refused all the same.
    Raises CheckpointError for a file without the tower or the projection that is needed of it, SpaceError for two of
    different or unknown spaces.
    """
    _check_loadable(vision)
    _check_loadable(text)
    _check_vision(vision)
    _check_text(text)
    known = vision.space or text.space
    if vision.projection != text.projection or (vision.space and text.space and vision.space != text.space):
        raise SpaceError(f"{_both(vision, text)}: they are of different models; {_MATES}")
    if vision.space and vision.space == text.space:
        return vision.space
    if not trust_space:
        raise SpaceError(
            f"{_both(vision, text)}: equal lengths do not make one space; {_MATES}; "
            "if you know that both come from one model, say so with trust_space=True"
        )
    return known or own_space(vision, text)


def space_of(info: CheckpointInfo) -> str:
    """The embedding space of a model by itself.

    One that is only assumed, for the shapes of a well-known model, is good for finding a partner. But others were
    trained with the same shapes, and their features would be compared in silence: alone, each is a space of its own.
    """
    return own_space(info) if info.space is None or info.sources.get("space") == "assumed" else info.space


def own_space(*infos: CheckpointInfo) -> str:
    """The id of a space that only these files are known to be of."""
    return "model:" + "+".join(info.fingerprint or str(info.path) for info in infos)


def _check_loadable(info: CheckpointInfo) -> None:
    if info.problem:
        raise CheckpointError(str(info.path), info.problem)


def _check_vision(info: CheckpointInfo) -> None:
    if info.vision is None:
        raise CheckpointError(str(info.path), "it has no vision tower; give a clip_vision file as the model")
    if not info.has_vision_projection:
        raise CheckpointError(
            str(info.path),
            "it has no visual projection, so its pictures cannot be compared with texts; get the file with projection, "
            "such as a 'CLIPVisionModelWithProjection' export or a full CLIP model",
        )


def _check_text(info: CheckpointInfo) -> None:
    if info.text is None:
        raise CheckpointError(str(info.path), "it has no text tower; give a CLIP text encoder as text_encoder")
    if not info.has_text_projection:
        raise CheckpointError(
            str(info.path),
            "it has no text_projection (the usual clip_l of ComfyUI does not), so its texts cannot be compared with "
            "pictures; get the full CLIP model, or clip_g for clip_vision_g",
        )


def _both(vision: CheckpointInfo, text: CheckpointInfo) -> str:
    return f"{_told(vision, 'pictures')} and {_told(text, 'texts')} cannot be put together"


def _told(info: CheckpointInfo, what: str) -> str:
    return f"{info.path} ({what}, space {info.space or 'unknown'}, {info.projection} numbers)"
