"""Models that nodes use: loaded by CLIP Model Loader, or connected to a node that scores images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.checkpoints.joined import TRUST
from ...clip_backend.encoding.cache import EncoderCache
from ...clip_backend.encoding.devices import DTYPES
from ...clip_backend.finding.advice import COMFYUI, lone_encoder, no_complete_model
from ...clip_backend.finding.catalog import FoundModel
from ...clip_backend.loading import load_encoder
from ...errors import InputError, SpaceError
from ...options import option
from ..host.host import Host
from ..sockets.inputs import Inputs
from .choice import NONE, find_model, found_models

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder

#: The inputs to which models are connected.
MODEL_INPUTS = ("model", "clip", "clip_vision")


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
class LoadedModel:
    """What the socket CLIP_GRID_MODEL carries."""

    #: Name as the user chose it.
    name: str
    info: CheckpointInfo
    encoder: Encoder
    #: The second file, by which texts are encoded.
    text_info: CheckpointInfo | None = None
    #: How it was loaded.
    options: LoadOptions = LoadOptions()

    def summary(self, notes: Sequence[str] = ()) -> str:
        """Lines for the node: what the model is, what was assumed about it, and the notes."""
        from ...clip_backend.finding.catalog import size_name

        identity = self.encoder.identity
        embedding = f"embeddings of {identity.dim} dimensions" if identity.dim else "no embedding"
        lines = [f"{self.info.family} {size_name(self.info)}, {embedding}, {identity.dtype}"]
        if identity.assumed:
            lines.append(f"assumed: {', '.join(identity.assumed)}")
        if identity.no_texts:
            lines.append(f"reads no texts: {identity.no_texts}")
        return "\n".join([*lines, *identity.notes, *notes])


def load_model(name: str, text_encoder: str, options: LoadOptions, host: Host) -> LoadedModel:
    """The model of this name, with the text encoder of another file unless that is ``none``.

    Raises InputError for unknown names, CheckpointError for a file that cannot be used, SpaceError for two files of
    different embedding spaces.
    """
    other = None if text_encoder in ("", NONE) else find_model(text_encoder, host)
    whole = name if other is None else f"{name} + {text_encoder}"
    return load_checkpoints(whole, find_model(name, host), other, options, host)


def load_checkpoints(
    name: str, info: CheckpointInfo, other: CheckpointInfo | None, options: LoadOptions, host: Host
) -> LoadedModel:
    """The model of a file, with what it is computed with, or of two; raises as ``load_model``. name: for the user."""
    try:
        encoder = load_encoder(
            info,
            text_encoder=other,
            device=host.model_device,
            dtype=options.dtype,
            placement=host.place_model,
            vocabularies=host.vocabulary_folders,
            trust_space=options.trust_space,
            cache_folder=host.embeddings_folder,
            encoders=loaded_encoders(),
            reference="comfy",
            **_comfyui_sizes(info),
        )
    except SpaceError as error:
        raise SpaceError(str(error).replace(f"say so with {TRUST}", "switch trust_space on")) from error
    return LoadedModel(name, info, encoder, other, options)


def _comfyui_sizes(info: CheckpointInfo) -> dict[str, Any]:
    """The image sizes of ComfyUI where they differ: for DINO that of the position table, cropped without a margin."""
    if info.vision is None or info.family not in ("dinov2", "dinov3"):
        return {}
    return {"image_size": info.vision.image_size, "short_side": info.vision.image_size}


@cache
def loaded_encoders() -> EncoderCache[Encoder]:
    """The models used last: ComfyUI itself holds only weak references to them."""
    return EncoderCache()


def check_loaded(value: object, socket: str) -> LoadedModel:
    """The value of a model socket; raises InputError for anything but a LoadedModel."""
    if not isinstance(value, LoadedModel):
        raise InputError(f"{socket} holds a {type(value).__name__}; connect the output of CLIP Model Loader")
    return value


def check_both_encoders(loaded: LoadedModel, host: Host) -> LoadedModel:
    """The model; raises InputError for one that reads pictures or texts alone, naming the file that completes it."""
    model = FoundModel(loaded.name, loaded.info.path, loaded.info)
    if loaded.text_info is None and (lacks := lone_encoder(model, lambda: found_models(host), COMFYUI)):
        raise InputError(lacks)
    return loaded


def connected_model(inputs: Inputs, host: Host, *, reads_texts: bool = True) -> tuple[str, Encoder]:
    """The name and the encoder of the connected model, or of a connected CLIP and CLIP_VISION together.

    reads_texts: False if a CLIP_VISION alone is enough.
    Raises InputError for no model, more than one, or a CLIP or CLIP_VISION alone, SpaceError for two that do not
    belong together.
    """
    from ..core.clip import core_encoder
    from ..core.vision import core_vision_encoder

    models = {name: value for name in MODEL_INPUTS if (value := _connected(name, inputs)) is not None}
    if not models:
        is_cured = not reads_texts or any(model.info and model.info.has_both_encoders for model in found_models(host))
        cure = "" if is_cured else f"; {no_complete_model(found_models(host), COMFYUI)}"
        raise InputError(
            "no model is connected; connect model (from CLIP Model Loader), or clip and clip_vision (from Load CLIP "
            f"and Load CLIP Vision){cure}"
        )
    if "model" in models:
        if len(models) > 1:
            raise InputError(f"models are connected to {' and '.join(models)}; leave model, or the two encoders")
        loaded = check_loaded(models["model"], "model")
        if reads_texts:
            check_both_encoders(loaded, host)
        return loaded.name, loaded.encoder
    if len(models) == 2:
        encoder: Encoder = core_encoder(models["clip_vision"], models["clip"], host)
    elif "clip_vision" in models and not reads_texts:
        encoder = core_vision_encoder(models["clip_vision"], host)
    else:
        name, other = ("clip", "clip_vision") if "clip" in models else ("clip_vision", "clip")
        raise InputError(f"{name} is only one encoder of a model; connect {other} of the same CLIP too, or model alone")
    return encoder.identity.name, encoder


def _connected(name: str, inputs: Inputs) -> object:
    values = [value for value in inputs.get(name) or () if value is not None]
    if len(values) > 1:
        raise InputError(f"{len(values)} models are connected to {name}; leave one of them")
    return values[0] if values else None
