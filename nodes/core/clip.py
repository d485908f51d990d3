"""Texts through a CLIP of ComfyUI's loaders, and a CLIP and a CLIP_VISION together as one encoder."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...clip_backend.checkpoints.info import CheckpointInfo, TextShape
from ...clip_backend.checkpoints.read import read_checkpoint
from ...clip_backend.encoding.encoder import ClipEncoder
from ...clip_backend.encoding.features import HasIdentity, Identity, TextFeatures
from ...clip_backend.encoding.image_features import ImageFeatures
from ...clip_backend.encoding.outcomes import Outcome
from ...clip_backend.encoding.texts import TextEncoder
from ...clip_backend.preparing.pictures import Pictures
from ...errors import CheckpointError, InputError, SpaceError
from ..host.host import Host
from .vision import core_vision_encoder
from .vision_model import is_trained_projection, uninitialised_norms, weights_fingerprint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...clip_backend.encoding.batching import Placement
    from ...clip_backend.tokenizing.tokenizer import Tokenizer

#: The names of CLIP text encoders in a CLIP object with several, the largest first.
_NAMES = ("clip_g", "clip_h", "clip_l")
_NO_PROJECTION = (
    "the file of the CLIP has no text_projection, without which text cannot be compared with pictures (ComfyUI loads "
    'it all the same and only logs "clip missing"); load a whole clip_l, clip_g or SD2 text encoder, or choose a model '
    "with CLIP Model Loader"
)
#: Width, image size and embedding length of the CLIP_VISION models for which ComfyUI can load the text encoder.
_PAIRS: Mapping[tuple[int, int, int], str] = {
    (1024, 224, 768): "OpenAI's ViT-L/14, whose text encoder is a clip_l with text_projection",
    (1280, 224, 1024): "ViT-H-14 laion2B-s32B-b79K, whose text encoder is in SD2",
    (1664, 224, 1280): "ViT-bigG-14 laion2B-39B-b160k, whose text encoder is clip_g of SDXL",
}


def core_encoder(clip_vision: Any, clip: Any, host: Host) -> CoreEncoder:
    """An encoder of images by a CLIP_VISION and of texts by a CLIP.

    Raises InputError if one of them has no projection or is a DINO, SpaceError for sizes that no CLIP has. That both
    come from one CLIP cannot be checked: it is in ``identity.assumed`` and in the notes.
    """
    vision = core_vision_encoder(clip_vision, host)
    projection = getattr(clip_vision.model, "visual_projection", None)
    if projection is None:
        raise InputError(
            "the CLIP_VISION was trained on pictures alone and shares no space with texts; link that of a CLIP"
        )
    width = int(projection.weight.shape[1])
    size = vision.preprocessing.size if vision.preprocessing else 0
    pair = _PAIRS.get((width, size, vision.dim))
    if pair is None:
        raise SpaceError(
            f"there is no CLIP that goes with a CLIP_VISION of width {width} for pictures of {size} px; these go "
            f"together: {'; '.join(_PAIRS.values())}. Others have both encoders in one file: choose it in CLIP Model "
            "Loader"
        )
    text = core_text_encoder(clip, host, dim=vision.dim)
    return CoreEncoder(vision, text, f"assumed that both are of {pair}")


class CoreEncoder(HasIdentity):
    """An encoder of images and one of texts as a single one; see ``Encoder`` for its methods.

    Both models stand in its fingerprint and its space, so that features of another pair are of another space.
    """

    def __init__(self, vision: ClipEncoder, text: ClipEncoder, note: str) -> None:
        fingerprint = f"{vision.fingerprint}+{text.fingerprint}"
        for encoder in (vision, text):
            encoder.identity = replace(encoder.identity, fingerprint=fingerprint, space=f"model:{fingerprint}")
        self._vision = vision
        self._text = text
        self.identity: Identity = replace(
            vision.identity,
            name="the CLIP_VISION and the CLIP",
            cache_key=f"{vision.identity.cache_key} {text.identity.cache_key}",
            assumed=("space", *vision.identity.assumed),
            no_texts="",
            notes=(note, *text.identity.notes),
        )

    def encode_images(self, pictures: Pictures, *, wants: Sequence[str] = ("embeds",), **options: Any) -> ImageFeatures:
        """The embeddings of images."""
        return self._vision.encode_images(pictures, wants=wants, **options)

    def stream_images(self, pictures: Pictures, **options: Any) -> Generator[Outcome, None, None]:
        """Each image by itself, as batches are done."""
        return self._vision.stream_images(pictures, **options)

    def encode_texts(self, texts: str | Sequence[str], **options: Any) -> TextFeatures:
        """Unit vectors of texts."""
        return self._text.encode_texts(texts, **options)


def core_text_encoder(clip: Any, host: Host, *, dim: int | None = None) -> ClipEncoder:
    """An encoder of texts by the CLIP text encoder with embeddings of length ``dim``, or by the largest one.

    Raises InputError for a CLIP without such a text encoder (T5, Llama, …) or without its projection.
    """
    placement = host.place_patcher(clip.patcher)
    tower = _choose(clip, placement, dim)
    tower.check_weights()
    fingerprint = weights_fingerprint(tower.module.transformer)
    patches = getattr(clip.patcher, "patches", None)
    # each load of a CLIP has another patches_uuid, with or without LoRAs
    patches_key = str(getattr(clip.patcher, "patches_uuid", "")) if patches else ""
    note = "a LoRA changes the text encoder and moves texts away from the pictures; link the CLIP before it"
    identity = Identity(
        name=f"the CLIP ({tower.name})",
        space=f"model:{fingerprint}",
        dim=tower.dim,
        fingerprint=fingerprint,
        cache_key=f"{fingerprint} {patches_key} comfyui",
        dtype="fp32",
        assumed=("logit_scale",),
        notes=(note,) if patches else (),
    )
    part = TextEncoder(tower=tower, tokenizer=_tokenizer(tower, host), placement=placement)
    return ClipEncoder(identity, text=lambda: part, cache=host.embeddings)


def _choose(clip: Any, placement: Placement, dim: int | None) -> CoreTextTower:
    model = clip.cond_stage_model
    # a model with a single text encoder names it in ``clip``
    single = getattr(model, "clip", None)
    names = dict.fromkeys([*([single] if isinstance(single, str) else []), *_NAMES])
    modules = {name: getattr(model, name, None) for name in names}
    towers = [CoreTextTower(clip, name, module, placement) for name, module in modules.items() if _is_clip(module)]
    if not towers:
        kind = type(model).__name__
        raise InputError(f"the CLIP is a {kind}, which holds no CLIP text encoder; load clip_l, clip_g or SD2's")
    fitting = [tower for tower in towers if dim in (None, tower.dim)]
    if not fitting:
        have = " and ".join(f"{tower.name} with {tower.dim}" for tower in towers)
        raise InputError(
            f"the pictures have embeddings of {dim} dimensions, but the CLIP has {have}; link the two of one CLIP"
        )
    return fitting[0]


def _is_clip(module: Any) -> bool:
    transformer = getattr(module, "transformer", None)
    return hasattr(transformer, "text_projection") and hasattr(transformer, "text_model")


class CoreTextTower:
    """One text encoder of a CLIP object (ComfyUI's SDClipModel) as a text tower of ``ClipEncoder``."""

    def __init__(self, clip: Any, name: str, module: Any, placement: Placement) -> None:
        self._clip = clip
        self._placement = placement
        self.name = name
        self.module = module

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return int(self.module.transformer.text_projection.weight.shape[0])

    @property
    def shape(self) -> TextShape:
        """The sizes of the transformer."""
        inner = self.module.transformer.text_model
        tokens, positions = inner.embeddings.token_embedding.weight, inner.embeddings.position_embedding.weight
        first = inner.encoder.layers[0]
        return TextShape(
            width=int(tokens.shape[1]),
            layers=len(inner.encoder.layers),
            heads=int(first.self_attn.heads),
            mlp=int(first.mlp.fc1.weight.shape[0]),
            context=int(positions.shape[0]),
            vocabulary=int(tokens.shape[0]),
        )

    def check_weights(self) -> None:
        """Raises InputError if the projection or a layer is uninitialised."""
        if broken := uninitialised_norms(self.module.transformer):
            # text encoders of SD2 in the layout of diffusers lack the last layer, which the projection was trained with
            raise InputError(
                f"the file of the CLIP lacks weights ({broken[0]}); load one with all layers, such as clip_g"
            )
        if not is_trained_projection(self.module.transformer.text_projection.weight) or self._lacks_projection():
            raise InputError(_NO_PROJECTION)

    def _lacks_projection(self) -> bool:
        """Whether the files of the CLIP are known, and none of them has a projection for this text encoder."""
        infos = [info for path in _source_files(self._clip.patcher) if (info := _read(path))]
        own = [info for info in infos if info.text and info.text.width == self.shape.width]
        return bool(own) and not any(info.has_text_projection for info in own)

    def memory_bytes(self, batch: int, device: torch.device) -> int:
        """About the working memory for a batch: ComfyUI computes in float32, whatever the type of the weights."""
        shape = self.shape
        return batch * shape.context * (7 * shape.width + 2 * shape.mlp) * 4

    def __call__(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Projected embeddings, not normalised [B, P]; ComfyUI finds the ends itself.

        Raises InputError if they are not finite.
        """
        model = self._clip.cond_stage_model
        # all positions are added at once, so every text must have as many tokens
        pad = [self.module.special_tokens["pad"]] * (self.shape.context - ids.shape[1])
        rows = [[*row, *pad] for row in ids.tolist()]
        model.reset_clip_options()
        self.module.set_clip_options({"projected_pooled": True, "execution_device": self._placement.device})
        try:
            pooled: Tensor = self.module(rows)[1]
        finally:
            # ComfyUI resets them before every prompt too
            model.reset_clip_options()
        if not (pooled.isfinite().all() and pooled.any(dim=1).all()):
            raise InputError(f"the text embeddings are zero or not finite: {_NO_PROJECTION}")
        return pooled.float()


def _source_files(patcher: Any) -> list[Path]:
    """The files from which ComfyUI loaded a model; none before ComfyUI 0.30, which does not keep them."""
    _, arguments, *_ = getattr(patcher, "cached_patcher_init", None) or (None, ())
    texts = [text for value in arguments for text in (value if isinstance(value, (list, tuple)) else [value])]
    return [Path(text) for text in texts if isinstance(text, str) and os.path.isfile(text)]


def _read(path: Path) -> CheckpointInfo | None:
    try:
        return read_checkpoint(path)
    except CheckpointError:
        # ComfyUI and other packs read more formats, such as GGUF
        return None


def _tokenizer(tower: CoreTextTower, host: Host) -> Tokenizer:
    """CLIP's own tokenizer: plain ids, without ComfyUI's prompt weights and embeddings."""
    from ...clip_backend.tokenizing.find import find_tokenizer

    folders = host.vocabulary_folders
    path = Path(*folders[:1], tower.name)
    info = CheckpointInfo(path=path, files=(), layout="comfyui", family="clip", text=tower.shape)
    return find_tokenizer(info, search=folders)
