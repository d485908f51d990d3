"""A CLIP of ComfyUI's own loaders as a text encoder: one embedding per text, in the space of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...clip_backend.checkpoints.info import CheckpointInfo, TextShape
from ...clip_backend.checkpoints.read import read_checkpoint
from ...clip_backend.encoding.encoder import ClipEncoder
from ...clip_backend.encoding.identity import Identity
from ...clip_backend.encoding.texts import TextPart
from ...errors import CheckpointError, InputError
from ..host.host import Host
from .model import is_trained_projection, source_files, untrained_norms, weights_fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.encoding.devices import Placement
    from ...clip_backend.tokenizing.tokenizer import Tokenizer


#: The towers of a CLIP with several, the one with the most to say first.
_NAMES = ("clip_g", "clip_h", "clip_l")
_NO_PROJECTION = (
    "the file of the CLIP has no text_projection, without which text cannot be compared with pictures (ComfyUI loads "
    'it all the same and only logs "clip missing"); load a whole clip_l, clip_g or SD2 text encoder, or choose a model '
    "with CLIP Model Loader"
)


@dataclass(frozen=True)
class TextTower:
    """One CLIP tower among those of a CLIP object: ComfyUI's SDClipModel."""

    name: str
    module: Any

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return int(self.module.transformer.text_projection.weight.shape[0])

    @property
    def shape(self) -> TextShape:
        """The sizes of the tower, told from its weights."""
        inner = self.module.transformer.text_model
        table, positions = inner.embeddings.token_embedding.weight, inner.embeddings.position_embedding.weight
        first = inner.encoder.layers[0]
        return TextShape(
            width=int(table.shape[1]),
            layers=len(inner.encoder.layers),
            heads=int(first.self_attn.heads),
            mlp=int(first.mlp.fc1.weight.shape[0]),
            context=int(positions.shape[0]),
            vocabulary=int(table.shape[0]),
        )


class CoreTextTower:
    """The tower as our encoders call one: token ids to embeddings, computed by ComfyUI's own layers."""

    def __init__(self, clip: Any, tower: TextTower, placement: Placement) -> None:
        self._clip = clip
        self._tower = tower
        self._placement = placement

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""
        shape = self._tower.shape
        return batch * shape.context * (7 * shape.width + 2 * shape.mlp) * 4

    def __call__(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Projected embeddings, not normalised [B, P]; the tower finds the ends itself.

        Raises InputError when they are not finite.
        """
        model, tower = self._clip.cond_stage_model, self._tower.module
        # the positions are added as a whole, so every text has as many tokens as there are
        pad = [tower.special_tokens["pad"]] * (self._tower.shape.context - ids.shape[1])
        rows = [[*row, *pad] for row in ids.tolist()]
        model.reset_clip_options()
        tower.set_clip_options({"projected_pooled": True, "execution_device": self._placement.device})
        try:
            pooled: Tensor = tower(rows)[1]
        finally:
            # every prompt resets them too; nothing of ours stays
            model.reset_clip_options()
        if not (pooled.isfinite().all() and pooled.any(dim=1).all()):
            raise InputError(f"the text embeddings are zero or not finite: {_NO_PROJECTION}")
        return pooled.float()


def core_text_encoder(clip: Any, host: Host, *, dim: int | None = None, space: str = "") -> ClipEncoder:
    """An encoder of texts by the tower of a CLIP that gives ``dim`` numbers, or by its widest one.

    space: that of the pictures, once it is sure that both belong together; without it an id that only this CLIP has.
    Raises InputError for a CLIP without such a tower (T5, Llama, …) and for one whose projection is not there.
    """
    tower = _choose(_towers(clip), clip, dim)
    _check_projection(tower, clip)
    placement = host.place_core(clip.patcher)
    fingerprint = weights_fingerprint(tower.module.transformer)
    identity = Identity(
        name=f"the CLIP ({tower.name})",
        space=space or f"model:{fingerprint}",
        dim=tower.dim,
        fingerprint=fingerprint,
        cache_key=f"{fingerprint} {_patches(clip)} comfyui",
        dtype="fp32",
        assumed=("logit_scale",),
        notes=_notes(clip),
    )
    part = TextPart(tower=CoreTextTower(clip, tower, placement), tokenizer=_tokenizer(tower, host), placement=placement)
    return ClipEncoder(identity, text=lambda: part, cache=host.embeddings)


def _patches(clip: Any) -> str:
    """What tells the LoRAs on a CLIP apart; empty without any, although ComfyUI gives each load an id of its own."""
    return str(getattr(clip.patcher, "patches_uuid", "")) if getattr(clip.patcher, "patches", None) else ""


def _notes(clip: Any) -> tuple[str, ...]:
    if getattr(clip.patcher, "patches", None):
        return ("a LoRA changes the text encoder and moves texts away from the pictures; link the CLIP before it",)
    return ()


def _towers(clip: Any) -> Iterator[TextTower]:
    """The CLIP towers of a CLIP object; others, such as T5, are left out."""
    model = clip.cond_stage_model
    own = getattr(model, "clip", None)
    for name in dict.fromkeys([*([own] if isinstance(own, str) else []), *_NAMES]):
        module = getattr(model, name, None)
        transformer = getattr(module, "transformer", None)
        if hasattr(transformer, "text_projection") and hasattr(transformer, "text_model"):
            yield TextTower(name, module)


def _choose(towers: Iterator[TextTower], clip: Any, dim: int | None) -> TextTower:
    found = list(towers)
    if not found:
        kind = type(clip.cond_stage_model).__name__
        raise InputError(f"the CLIP is a {kind}, which holds no CLIP text encoder; load clip_l, clip_g or SD2's")
    fitting = [tower for tower in found if dim in (None, tower.dim)]
    if not fitting:
        have = " and ".join(f"{tower.name} with {tower.dim}" for tower in found)
        raise InputError(
            f"the pictures have embeddings of {dim} numbers, but the CLIP has {have}; link the two of one CLIP"
        )
    return fitting[0]


def _check_projection(tower: TextTower, clip: Any) -> None:
    """Raises InputError where the projection, or a whole layer, is memory that nobody filled."""
    if broken := untrained_norms(tower.module.transformer):
        # text encoders of SD2 in the layout of diffusers lack the last layer, which pictures were trained with
        raise InputError(f"the file of the CLIP lacks weights ({broken[0]}); load one with all layers, such as clip_g")
    if not is_trained_projection(tower.module.transformer.text_projection.weight) or _lacks_projection(tower, clip):
        raise InputError(_NO_PROJECTION)


def _lacks_projection(tower: TextTower, clip: Any) -> bool:
    """Whether the files of the CLIP are known, and none of them has the projection of this tower."""
    found = [info for path in source_files(clip.patcher) if (info := _read(path)) and info.text is not None]
    own = [info for info in found if info.text and info.text.width == tower.shape.width]
    return bool(own) and not any(info.has_text_projection for info in own)


def _read(path: Path) -> CheckpointInfo | None:
    try:
        return read_checkpoint(path)
    except CheckpointError:
        # ComfyUI reads more kinds of files, GGUF by other packs among them
        return None


def _tokenizer(tower: TextTower, host: Host) -> Tokenizer:
    """CLIP's own vocabulary: the raw ids, without ComfyUI's prompt weights and embeddings."""
    from ...clip_backend.tokenizing.find import find_tokenizer

    folders = host.vocabulary_folders
    path = Path(*folders[:1], tower.name)
    info = CheckpointInfo(path=path, files=(), layout="comfyui", family="clip", text=tower.shape)
    return find_tokenizer(info, search=folders)
