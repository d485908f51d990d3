"""A model as it travels between nodes, and how the loader node makes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.encoding.cache import EncoderCache, file_identity
from ...clip_backend.encoding.devices import DTYPES
from ...clip_backend.loading import load_encoder
from ...errors import ClipGridError, InputError, SpaceError
from ...options import option
from ..host.host import Host
from .choice import NONE, chosen_model

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder


@dataclass(frozen=True)
class LoadOptions:
    """The widgets of the loader beside the names of files."""

    dtype: str = option(
        "auto",
        "Type of number: auto is accurate (fp32 on a processor, fp16 on a GPU), fast takes bf16 where the processor is "
        "fast at it, the others are forced",
        choices=DTYPES,
    )
    trust_space: bool = option(
        False,
        "Put model and text_encoder together although their files do not tell that they come from one CLIP; if they do "
        "not, all scores are meaningless",
        advanced=True,
    )


@dataclass(frozen=True)
class NodeModel:
    """A model that a node loaded."""

    #: As the user chose it.
    name: str
    info: CheckpointInfo
    encoder: Encoder

    def summary(self) -> str:
        """What the user is told about it: what it is, and what its file does not tell."""
        from ...clip_backend.finding.catalog import size_name

        identity = self.encoder.identity
        embedding = f"embeddings of {identity.dim} numbers" if identity.dim else "no embedding"
        lines = [f"{self.info.family} {size_name(self.info)}, {embedding}, {identity.dtype}"]
        if identity.assumed:
            lines.append(f"assumed: {', '.join(identity.assumed)}")
        lines += [f"reads no texts: {identity.no_texts}"] if identity.no_texts else []
        return "\n".join([*lines, *identity.notes])


def linked_model(value: object, socket: str) -> NodeModel:
    """The model that is linked to a socket; raises InputError for anything else."""
    if not isinstance(value, NodeModel):
        raise InputError(f"{socket} holds a {type(value).__name__}; connect the output of CLIP Model Loader")
    return value


def load_model(name: str, text_encoder: str, options: LoadOptions, host: Host) -> NodeModel:
    """The model of this name, with the texts' half of another file unless that is ``none``.

    Raises InputError for unknown names, CheckpointError for a file that cannot be used, SpaceError for two files of
    different embedding spaces.
    """
    info = chosen_model(name, host)
    other = None if text_encoder in ("", NONE) else chosen_model(text_encoder, host)
    try:
        encoder = load_encoder(
            info,
            text_encoder=other,
            device=host.model_device,
            dtype=options.dtype,
            placement=host.place,
            vocabularies=host.vocabulary_folders,
            trust_space=options.trust_space,
            cache_folder=host.embeddings_folder,
            encoders=_held_models(),
            reference="comfy",
            **_as_comfyui(info),
        )
    except SpaceError as error:
        raise SpaceError(f"{error}; on this node that is the input trust_space") from error
    return NodeModel(name if other is None else f"{name} + {text_encoder}", info, encoder)


def _as_comfyui(info: CheckpointInfo) -> dict[str, Any]:
    """What ComfyUI does differently: DINO sees pictures of the size of its position table, cut without a margin."""
    if info.vision is None or info.family not in ("dinov2", "dinov3"):
        return {}
    return {"image_size": info.vision.image_size, "short_side": info.vision.image_size}


def files_key(names: tuple[str, ...], host: Host) -> str:
    """Changes with the files of the models; never raises."""
    try:
        infos = [chosen_model(name, host) for name in names if name not in ("", NONE)]
        return repr([file_identity(file) for info in infos for file in info.files])
    except ClipGridError as error:
        # a state like any other: the node itself says why it cannot be used
        return str(error)


def model_problem(names: tuple[str, ...], host: Host) -> str:
    """Why a name cannot be used, known before anything runs; empty when all is well."""
    try:
        for name in names:
            if name not in ("", NONE):
                chosen_model(name, host)
    except InputError as error:
        return str(error)
    return ""


@cache
def _held_models() -> EncoderCache[Encoder]:
    """The models that were used last: ComfyUI remembers only those that somebody holds."""
    return EncoderCache()
