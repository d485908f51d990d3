"""Encoders for the families that transformers computes: DINOv2, DINOv3 and SigLIP 2 NaFlex."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...errors import CheckpointError, InputError, MissingPackage
from ..checkpoints.info import CheckpointInfo, VisionShape
from ..checkpoints.spaces import space_of
from ..checkpoints.weights import open_tensors, open_weights
from ..encoding.assembly import USUAL_SCALE, cache_key, cache_of, identity_of, text_encoder
from ..encoding.batching import Placement, float32_on_cpu
from ..encoding.devices import LoadOptions
from ..encoding.encoder import ClipEncoder
from ..encoding.features import Identity
from ..encoding.image_features import StateName, TowerVisionEncoder, VisionCapabilities
from ..preparing.preprocessing import Preprocessing
from .configs import FAMILIES, HubModel, dino_preprocessing, hub_model
from .files import HubFiles, parts_for
from .towers import DinoTower, NaflexTower, flat_batch, most_patches, prepare_flexible

if TYPE_CHECKING:
    from PIL import Image

#: Tensors that only training needs, and tables that follow from the config.
_UNUSED = ("mask_token", "position_ids", "inv_freq", "rope_embed.periods", "num_batches_tracked")
_SHOWN = 3
PICTURES_ALONE = (
    "it was trained on pictures alone and has no space that texts share; choose a CLIP or SigLIP model for texts"
)
NO_TEXT_TOWER = "its file has no text tower that can be used; choose the whole model, it takes none from another file"
NO_TOKENS = (
    "the pictures of a NaFlex model keep their shape, so that each has a grid of patches of its own; "
    "use image_embeds, or a SigLIP model of one size"
)


def load(info: CheckpointInfo, options: LoadOptions) -> ClipEncoder:
    """An encoder for a checkpoint of the families dinov2, dinov3 and naflex; its towers are built when needed.

    Raises CheckpointError for another family. The first picture raises it too where tensors that the tower needs are
    missing or of another shape, and MissingPackage without a transformers that knows the model.
    """
    vision = info.vision
    if info.family not in FAMILIES:
        raise CheckpointError(str(info.path), f"models of the family {info.family} are not loaded; choose a CLIP model")
    if vision is None:
        raise CheckpointError(str(info.path), "it holds no vision tower; give a file that does")
    return _naflex(info, vision, options) if info.family == "naflex" else _dino(info, vision, options)


def _dino(info: CheckpointInfo, vision: VisionShape, options: LoadOptions) -> ClipEncoder:
    preprocessing = dino_preprocessing(info, vision, options.preprocessing)
    identity = Identity(
        name=str(info.path),
        space=space_of(info),
        dim=vision.width,
        fingerprint=info.fingerprint,
        cache_key=cache_key((info,), options),
        dtype=options.dtype,
        preprocessing=preprocessing,
        logit_scale=USUAL_SCALE,
        assumed=tuple(sorted({*info.unknown, "logit_scale"})),
        no_texts=PICTURES_ALONE,
        notes=info.notes,
    )
    return ClipEncoder(
        identity, vision=lambda: _dino_vision(info, vision, preprocessing, options), cache=cache_of(options)
    )


def _dino_vision(
    info: CheckpointInfo, vision: VisionShape, preprocessing: Preprocessing, options: LoadOptions
) -> TowerVisionEncoder:
    side = preprocessing.size // vision.patch
    model, hub = build_model(info, vision, options)
    tower = DinoTower(model, vision, side, hub.registers)
    capabilities = VisionCapabilities(
        width=vision.width,
        tokens=tower.tokens,
        grid=(side, side),
        projection=vision.width,
        registers=hub.registers,
    )
    return TowerVisionEncoder(
        tower=tower,
        capabilities=capabilities,
        placement=options.place(tower),
        in_fp32=options.in_fp32(lambda fp32: _dino_vision(info, vision, preprocessing, fp32)),
    )


def _naflex(info: CheckpointInfo, vision: VisionShape, options: LoadOptions) -> ClipEncoder:
    # its text tower is SigLIP 2's own
    text = replace(info, family="siglip2")
    weights = open_weights(info, allow_pickle=options.allow_pickle)
    has_text = info.text is not None and info.has_text_projection
    known = identity_of(text, text, (weights, weights), options, space_of(info))
    identity = replace(known, keeps_shape=True, no_texts="" if has_text else NO_TEXT_TOWER)
    return ClipEncoder(
        identity,
        vision=lambda: _naflex_vision(info, vision, identity, options),
        text=(lambda: text_encoder(text, weights, options)) if has_text else None,
        cache=cache_of(options),
    )


def _naflex_vision(
    info: CheckpointInfo, vision: VisionShape, identity: Identity, options: LoadOptions
) -> NaflexVisionEncoder:
    model, _ = build_model(info, vision, options, "vision_model.")
    size = identity.preprocessing.size if identity.preprocessing else vision.image_size
    side = size // vision.patch
    capabilities = VisionCapabilities(
        width=vision.width,
        tokens=side * side,
        grid=(side, side),
        projection=vision.width,
        has_class_token=False,
        projects_tokens=False,
        no_tokens=NO_TOKENS,
    )
    tower = NaflexTower(model, vision, side * side)
    return NaflexVisionEncoder(
        tower=tower,
        capabilities=capabilities,
        placement=options.place(tower),
        in_fp32=options.in_fp32(lambda fp32: _naflex_vision(info, vision, identity, fp32)),
    )


@dataclass(frozen=True, kw_only=True)
class NaflexVisionEncoder:
    """The vision encoder of NaFlex, whose pictures keep their shape; see ``images.VisionEncoder``."""

    tower: NaflexTower
    capabilities: VisionCapabilities
    placement: Placement
    in_fp32: Callable[[], NaflexVisionEncoder] | None

    def memory_bytes(self, batch: int) -> int:
        return self.tower.memory_bytes(batch, self.placement.device)

    def prepare(self, picture: Image.Image | Tensor, preprocessing: Preprocessing) -> Tensor:
        """uint8 [H, W, 3], whole patches; raises InputError for preprocessing that is not for such a model."""
        if preprocessing.fit != "squash":
            raise InputError(f"fit is {preprocessing.fit!r}, but this model takes pictures whole; give fit='squash'")
        most = most_patches(preprocessing, self.tower.patch)
        if most != self.capabilities.tokens:
            raise InputError(
                f"the preprocessing makes up to {most} patches and the model takes {self.capabilities.tokens}; "
                f"load it with image_size={preprocessing.size}"
            )
        return prepare_flexible(picture, preprocessing, self.tower.patch)

    def states(
        self, prepared: Sequence[Tensor], preprocessing: Preprocessing, wants: Sequence[StateName]
    ) -> dict[StateName, Tensor]:
        """The embeddings, float32 on the CPU."""
        batch = flat_batch(prepared, preprocessing, self.tower.patch, self.placement.device)
        with torch.inference_mode():
            embeds = float32_on_cpu(self.tower(*batch))  # [B, P]
        return {want: embeds for want in wants if want == "embeds"}


def build_model(
    info: CheckpointInfo, vision: VisionShape, options: LoadOptions, prefix: str = ""
) -> tuple[nn.Module, HubModel]:
    """The vision model of a checkpoint, on the processor, and what it was built from.

    prefix: of the names of its tensors, in files that hold more than it.
    Raises CheckpointError with the names of tensors that are missing, of another shape or left over, and
    MissingPackage without a transformers that knows the model.
    """
    tensors = open_tensors(info, allow_pickle=options.allow_pickle)
    files = HubFiles(str(info.path), tensors, info.prefix).below(prefix)
    hub, dtype = hub_model(info, vision, files.shapes), options.torch_dtype
    package = f"transformers.models.{hub.module}"
    try:
        # from their modules, since the top of the package needs torchvision
        configs = importlib.import_module(f"{package}.configuration_{hub.module}")
        models = importlib.import_module(f"{package}.modeling_{hub.module}")
        config_class, model_class = getattr(configs, f"{hub.name}Config"), getattr(models, f"{hub.name}Model")
    except (ImportError, AttributeError) as error:
        cure = "install it, or a newer one, with: pip install --upgrade transformers"
        raise MissingPackage(f"{info.path} needs transformers with {hub.name}Model ({error}); {cure}") from error
    with torch.device("meta"):
        model: nn.Module = model_class(config_class(**hub.settings))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(_read(files, shapes, dtype), strict=False, assign=True)
    _initialise_rest(model, dtype)
    return model.eval().requires_grad_(False), hub


def _read(files: HubFiles, wanted: Mapping[str, tuple[int, ...]], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every wanted tensor under its name in the installed version of transformers."""
    parts = parts_for(wanted, files.shapes)
    used = {name for several in parts.values() for name, _ in several}
    _refuse(files, "lacks", wanted.keys() - parts.keys(), "it is incomplete, fetch it again")
    cure = "it is of another kind than its family, use the model as it was published"
    _refuse(files, "also holds", files.shapes.keys() - used, cure)
    state = {}
    for name, several in parts.items():
        tensors = [files.read(part, dtype) for part in several]
        tensor = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        if tensor.shape != wanted[name]:
            reason = f"{several[0][0]} has shape {list(tensor.shape)} where {list(wanted[name])} is needed"
            raise CheckpointError(files.path, f"{reason}; it is damaged or its configuration is another model's")
        state[name] = tensor
    return state


def _refuse(files: HubFiles, verb: str, tensors: Iterable[str], cure: str) -> None:
    names = sorted(name for name in tensors if not name.endswith(_UNUSED))
    if names:
        more = f" and {len(names) - _SHOWN} more tensors" if len(names) > _SHOWN else ""
        raise CheckpointError(files.path, f"{verb} {', '.join(names[:_SHOWN])}{more}; {cure}")


def _initialise_rest(model: nn.Module, dtype: torch.dtype) -> None:
    """Initialises what no file holds: tables that follow from the config, and the mask token of training."""
    for name, module in list(model.named_modules()):
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, type(module)(module.config))
        for key, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                setattr(module, key, nn.Parameter(torch.zeros(parameter.shape, dtype=dtype)))
