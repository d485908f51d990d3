"""What a user without a usable model is told: the file to get, its folder, the command for it, or two files to pair."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...errors import CheckpointError, SpaceError
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.joined import joined_space
from .catalog import FoundModel
from .folders import hub_cache


@dataclass(frozen=True)
class ModelFile:
    """A model file that everybody can get."""

    #: What it is called in ComfyUI's folder, and the folder.
    name: str
    folder: str
    size: str
    #: The repository on the Hugging Face hub, and the file's name there.
    repository: str
    file: str


#: The CLIP to get first: both encoders in one file.
FIRST_CLIP = ModelFile(
    name="clip-vit-large-patch14.safetensors",
    folder="models/clip_vision",
    size="1.71 GB",
    repository="openai/clip-vit-large-patch14",
    file="model.safetensors",
)
#: The vision encoders that IP-Adapters work with, under the names that ComfyUI-Manager gives them.
CLIP_VISION_G = ModelFile(
    name="CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors",
    folder="models/clip_vision",
    size="3.69 GB",
    repository="h94/IP-Adapter",
    file="sdxl_models/image_encoder/model.safetensors",
)
CLIP_VISION_H = ModelFile(
    name="CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors",
    folder="models/clip_vision",
    size="2.53 GB",
    repository="h94/IP-Adapter",
    file="models/image_encoder/model.safetensors",
)
#: That of IP-Adapters for Kolors, and that of those of InstantX for FLUX, with its pooling.
CLIP_VISION_L_336 = ModelFile(
    name="clip-vit-large-patch14-336.bin",
    folder="models/clip_vision",
    size="1.71 GB",
    repository="Kwai-Kolors/Kolors-IP-Adapter-Plus",
    file="image_encoder/pytorch_model.bin",
)
SIGLIP_384 = ModelFile(
    name="sigclip_vision_patch14_384.safetensors",
    folder="models/clip_vision",
    size="857 MB",
    repository="Comfy-Org/sigclip_vision_384",
    file="sigclip_vision_patch14_384.safetensors",
)
#: The text encoder that goes with CLIP-G; ``models/clip`` is its folder in older ComfyUI.
CLIP_G_TEXT = ModelFile(
    name="clip_g.safetensors",
    folder="models/text_encoders",
    size="1.39 GB",
    repository="Comfy-Org/stable-diffusion-3.5-fp8",
    file="text_encoders/clip_g.safetensors",
)
#: The file that completes one with a single encoder, by the embedding space and the encoder that is missing.
_PARTNERS = {
    ("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", "text"): CLIP_G_TEXT,
    ("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", "vision"): CLIP_VISION_G,
}


@dataclass(frozen=True)
class Wording:
    """How one front end says where models are, and what the user is to do."""

    where: str
    #: To get a model; filled in are {name}, {folder}, {size}, {repository}, {file} of ``ModelFile``, and {cache}.
    get: str
    #: To use two files together; filled in are {vision} and {text}.
    pair: str
    #: To get a model of the name that was given.
    fetch: str


PYTHON = Wording(
    where="on this machine",
    get="load_encoder({repository!r}, download=True) fetches one ({file}, {size}) into {cache}; or put that file into "
    "ComfyUI's {folder} as {name}; or give the path of another one as the model",
    pair="use them with load_encoder({vision!r}, text_encoder={text!r})",
    fetch="pass download=True to fetch it from the Hugging Face hub",
)
COMMAND = Wording(
    where="on this machine",
    get="add --model {repository} --download to fetch one ({file}, {size}) into {cache}; or put that file into "
    "ComfyUI's {folder} as {name}; or give the path of another one: --model FILE",
    pair="use them with: --model {vision} --text-encoder {text}",
    fetch="add --download to fetch it from the Hugging Face hub",
)
#: For the command that lists models, which uses none.
LISTING = Wording(
    where=COMMAND.where,
    get="fetch one ({file}, {size}) into {cache} with: clip-grid models --download {repository}; or put that file "
    "into ComfyUI's {folder} as {name}; or give the path of another one to the command that needs it: --model FILE",
    pair="give both to the command that needs them: --model {vision} --text-encoder {text}",
    fetch="fetch it from the Hugging Face hub with: clip-grid models --download NAME",
)
COMFYUI = Wording(
    where="in your model folders",
    get="put {file} ({size}) of {repository} into {folder} as {name} (ComfyUI-Manager lists it under Model Manager), "
    "or run, in the folder custom_nodes: python -m ComfyUI-CLIP-Grid models --download {repository}; then press R",
    pair="in CLIP Model Loader choose {vision} as model and {text} as text_encoder",
    fetch=f"put it into {FIRST_CLIP.folder} and press R",
)


def how_to_get_one(wording: Wording) -> str:
    """The file to get, where it goes, and the command that fetches it."""
    return wording.get.format(**vars(FIRST_CLIP), cache=hub_cache())


def no_complete_model(found: Sequence[FoundModel], wording: Wording) -> str:
    """That there is no model with both encoders, and the cure: two of the found files that make a pair, or a file.

    An SDXL checkpoint has a text encoder whose vision encoder can be got: that is told too.
    """
    missing = f"there is no CLIP {wording.where} that has both encoders, for pictures and texts, in one file"
    pair = next(iter(model_pairs(found)), None)
    if pair is None:
        halves = [(model, partner) for model in found if (partner := _partner(model, found, wording))]
        has = [f"{model.name} has {_encoders(model.info)}: {partner}; or" for model, partner in halves if model.info]
        return f"{missing}; {' '.join([*has[:1], how_to_get_one(wording)])}"
    return f"{missing}, but two files make a pair: {describe_pair(*pair, found, wording)}"


def describe_pair(vision: FoundModel, text: FoundModel, found: Sequence[FoundModel], wording: Wording) -> str:
    """The names of two files that make a pair, and how they are used together."""
    names = {"vision": reference(vision, found, wording), "text": reference(text, found, wording)}
    return f"{vision.name} and {text.name}; {wording.pair.format(**names)}"


def lone_encoder(model: FoundModel, find: Callable[[], Sequence[FoundModel]], wording: Wording) -> str:
    """What a file with one encoder lacks, and the file that makes a pair with it, or the file to get.

    find: lists the models that are there. Empty for a model that is complete or cannot be loaded.
    """
    info = model.info
    if info is None or info.problem or info.has_both_encoders:
        return ""
    both = "to compare pictures with texts it needs both encoders, with their projections"
    missing = f"{model.name} has {_encoders(info)}; {both}"
    others = [model, *(other for other in find() if other.path.resolve() != model.path.resolve())]
    pair = next((pair for pair in model_pairs(others) if model in pair), None)
    if pair:
        return f"{missing}; two files make a pair: {describe_pair(*pair, others, wording)}"
    partner = _partner(model, others, wording)
    return f"{missing}; {partner or how_to_get_one(wording)}"


def _partner(model: FoundModel, found: Sequence[FoundModel], wording: Wording) -> str:
    """The file that completes one with a single encoder, and how the two are used; empty if none is known."""
    info = model.info
    if info is None or info.problem or info.has_both_encoders:
        return ""
    partner = _PARTNERS.get((info.space or "", "text" if info.vision else "vision"))
    if partner is None:
        return ""
    own = reference(model, found, wording)
    names = {"vision": own, "text": partner.name} if info.vision else {"vision": partner.name, "text": own}
    return (
        f"put {partner.file} ({partner.size}) of {partner.repository} into ComfyUI's {partner.folder} as "
        f"{partner.name}, and {wording.pair.format(**names)}"
    )


def _encoders(info: CheckpointInfo) -> str:
    encoders = (
        ("vision", info.vision, info.has_vision_projection),
        ("text", info.text, info.has_text_projection),
    )
    has = [f"a {name} encoder{'' if projects else ' without projection'}" for name, one, projects in encoders if one]
    return " and ".join(has) if len(has) > 1 else f"{has[0]} alone"


def reference(model: FoundModel, found: Sequence[FoundModel], wording: Wording) -> str:
    """The name by which the user's front end finds the model: its own if no other has it, else its path."""
    is_alone = [other.name for other in found].count(model.name) == 1
    name = model.name if is_alone else str(model.path)
    return shlex.quote(name) if wording in (COMMAND, LISTING) else name


def model_pairs(found: Iterable[FoundModel]) -> list[tuple[FoundModel, FoundModel]]:
    """The files of a vision encoder and of a text encoder that are known to be of one embedding space."""
    usable = [(model, model.info) for model in found if model.info and not model.problem]
    lone = [(model, info) for model, info in usable if not info.has_both_encoders]
    return [(vision, text) for vision, first in lone if first.vision for text, second in lone if _fit(first, second)]


def _fit(vision: CheckpointInfo, text: CheckpointInfo) -> bool:
    try:
        joined_space(vision, text)
    except (CheckpointError, SpaceError):
        return False
    return True
