"""Encoders of the families that transformers computes: DINOv2, DINOv3 and SigLIP 2 NaFlex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import CheckpointError, InputError
from ..assembly import USUAL_SCALE, cache_key, cache_of, identity_of, place_by, text_part
from ..checkpoint_info import CheckpointInfo, VisionShape
from ..devices import torch_dtype
from ..encoder import ClipEncoder
from ..image_features import Want
from ..load_options import LoadOptions
from ..pairs import space_of
from ..placement import Placement
from ..preparing.recipe import Recipe
from ..running.identity import Identity
from ..running.image_half import VisionPart
from ..running.vision_states import VisionAbility, on_cpu
from ..towers.weights import open_weights
from .dino_recipe import dino_recipe
from .hub_configs import hub_model
from .hub_files import open_hub_files
from .naflex_pictures import flat_batch, most_patches, prepare_flexible
from .transformers_models import build_model
from .transformers_towers import DinoTower, NaflexTower

if TYPE_CHECKING:
    from PIL import Image

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
    if info.family not in ("dinov2", "dinov3", "naflex"):
        raise CheckpointError(str(info.path), f"models of the family {info.family} are not loaded; choose a CLIP model")
    if vision is None:
        raise CheckpointError(str(info.path), "it holds no vision tower; give a file that does")
    return _naflex(info, vision, options) if info.family == "naflex" else _dino(info, vision, options)


def _dino(info: CheckpointInfo, vision: VisionShape, options: LoadOptions) -> ClipEncoder:
    recipe = dino_recipe(info, vision, options.recipe)
    identity = Identity(
        name=str(info.path),
        space=space_of(info),
        dim=vision.width,
        fingerprint=info.fingerprint,
        cache_key=cache_key((info,), options),
        dtype=options.dtype,
        recipe=recipe,
        logit_scale=USUAL_SCALE,
        assumed=tuple(sorted({*info.unknown, "logit_scale"})),
        no_texts=PICTURES_ALONE,
        notes=info.notes,
    )
    return ClipEncoder(identity, vision=lambda: _dino_part(info, vision, recipe, options), cache=cache_of(options))


def _dino_part(info: CheckpointInfo, vision: VisionShape, recipe: Recipe, options: LoadOptions) -> VisionPart:
    files = open_hub_files(info, allow_pickle=options.allow_pickle)
    told = hub_model(info, files.shapes)
    side = recipe.size // vision.patch
    model = build_model(info, told, files, torch_dtype(options.dtype))
    tower = DinoTower(model, vision, side, told.registers)
    ability = VisionAbility(
        width=vision.width,
        tokens=tower.tokens,
        grid=(side, side),
        projection=vision.width,
        registers=told.registers,
    )
    return VisionPart(tower=tower, ability=ability, placement=place_by(options)(tower))


def _naflex(info: CheckpointInfo, vision: VisionShape, options: LoadOptions) -> ClipEncoder:
    # its text tower is SigLIP 2's own
    text = replace(info, family="siglip2")
    weights = open_weights(info, allow_pickle=options.allow_pickle)
    reads = info.text is not None and info.has_text_projection
    known = identity_of(text, text, (weights, weights), options, space_of(info))
    identity = replace(known, no_texts="" if reads else NO_TEXT_TOWER)
    return ClipEncoder(
        identity,
        vision=lambda: _naflex_part(info, vision, identity, options),
        text=(lambda: text_part(text, weights, options)) if reads else None,
        cache=cache_of(options),
    )


def _naflex_part(info: CheckpointInfo, vision: VisionShape, identity: Identity, options: LoadOptions) -> FlexiblePart:
    files = open_hub_files(info, allow_pickle=options.allow_pickle).below("vision_model.")
    model = build_model(info, hub_model(info, files.shapes), files, torch_dtype(options.dtype))
    size = identity.recipe.size if identity.recipe else vision.image_size
    side = size // vision.patch
    ability = VisionAbility(
        width=vision.width,
        tokens=side * side,
        grid=(side, side),
        projection=vision.width,
        has_class_token=False,
        projects_tokens=False,
        no_tokens=NO_TOKENS,
    )
    tower = NaflexTower(model, vision, side * side)
    return FlexiblePart(tower=tower, ability=ability, placement=place_by(options)(tower), patch=vision.patch)


@dataclass(frozen=True, kw_only=True)
class FlexiblePart:
    """The sight of a tower that takes pictures of any shape; see ``image_half.Sight``."""

    tower: NaflexTower
    ability: VisionAbility
    placement: Placement
    patch: int

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""
        return self.tower.memory_bytes(batch)

    def prepare(self, picture: Image.Image | Tensor, recipe: Recipe) -> Tensor:
        """uint8 [H, W, 3], whole patches; raises InputError for a recipe that is not for such a model."""
        if recipe.fit != "squash":
            raise InputError(f"fit is {recipe.fit!r}, but this model takes pictures whole; give fit='squash'")
        most = most_patches(recipe, self.patch)
        if most != self.ability.tokens:
            cure = f"load it with image_size={recipe.size}"
            raise InputError(f"the recipe has room for {most} patches and the model for {self.ability.tokens}; {cure}")
        return prepare_flexible(picture, recipe, self.patch)

    def states(self, prepared: Sequence[Tensor], recipe: Recipe, wants: Sequence[Want]) -> dict[Want, Tensor]:
        """The embeddings, float32 on the processor."""
        batch = flat_batch(prepared, recipe, self.patch, self.placement.device)
        with torch.inference_mode():
            embeds = on_cpu(self.tower(batch))  # [B, P]
        return {want: embeds for want in wants if want == "embeds"}
