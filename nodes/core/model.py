"""Whether ComfyUI filled the weights of a model from its file: it goes on without, and logs no more than a warning."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...clip_backend.encoding.image_features import ImageFeatures
from ...clip_backend.preparing.recipe import Recipe
from ...errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn


#: A projection that was trained has numbers of about width ** -0.5; memory that nobody filled is far from it.
LEAST_SPREAD, MOST_SPREAD = 1e-3, 1.0


def is_trained_projection(weight: Tensor) -> bool:
    """Whether a matrix looks like weights: numbers of a sane size and no empty row."""
    numbers = weight.detach().float()
    # NaN is in no range
    return LEAST_SPREAD < float(numbers.std()) < MOST_SPREAD and bool(numbers.any(dim=1).all())


def untrained_norms(model: nn.Module) -> list[str]:
    """The norms whose weights are zero or not finite, by name; no trained model has any."""
    norms = ((name, weight) for name, weight in model.named_parameters() if weight.ndim == 1 and "norm" in name)
    weights = [(name, weight.detach().float()) for name, weight in norms if name.endswith("weight")]
    return [name for name, weight in weights if not (bool(weight.isfinite().all()) and bool(weight.any()))]


def source_files(patcher: Any) -> list[Path]:
    """The files that a model of ComfyUI was loaded from; none where it does not say (before 0.30)."""
    _, arguments, *_ = getattr(patcher, "cached_patcher_init", None) or (None, ())
    texts = [text for value in arguments for text in (value if isinstance(value, (list, tuple)) else [value])]
    return [Path(text) for text in texts if isinstance(text, str) and Path(text).is_file()]


#: Bytes per token of the widest of these models (ViT-bigG) while it computes.
_TOKEN_BYTES = 4 * (7 * 1664 + 2 * 8192)
_PATCH = 14
#: Numbers of each weight that go into the fingerprint.
_SAMPLE = 64
#: What a model takes that keeps the shape of its pictures: about so many pixels a side.
_USUAL_SIDE = 256
_BY_LOADER = "choose the model in CLIP Model Loader instead"
_NORMED = (
    f"ComfyUI hands out the last states of this model after its final norm only; use the output socket, or {_BY_LOADER}"
)


@dataclass(frozen=True, kw_only=True)
class CoreModel:
    """A CLIP_VISION; what nothing tells is None."""

    recipe: Recipe
    #: The length of an embedding; None where there is none, and ``no_embedding`` says why.
    projection_dim: int | None
    no_embedding: str
    has_class_token: bool
    #: Whether ``last_hidden_state`` is what comes out of the last layer, before the final norm.
    is_last_plain: bool
    #: Whether its tokens after the final norm are what it says of each place, and the first of the picture, as DINO's.
    is_dino: bool
    #: Whether every picture goes in with its own shape, as into a SigLIP2 NaFlex.
    keeps_shapes: bool
    fingerprint: str
    #: The final norm of a model whose projection is memory that nobody filled.
    norm_alone: nn.Module | None

    @classmethod
    def of(cls, clip_vision: Any) -> CoreModel:
        """Raises CheckpointError where ComfyUI did not fill the weights."""
        model = clip_vision.model
        if broken := untrained_norms(model):
            raise CheckpointError("the CLIP_VISION", f"its file lacks weights ({broken[0]}); fetch it again")
        dim, reason = _projection(model)
        is_siglip = _is_siglip(model)
        return cls(
            recipe=_recipe(clip_vision, is_siglip=is_siglip),
            projection_dim=dim,
            no_embedding=reason,
            has_class_token=not is_siglip,
            is_last_plain=hasattr(model, "vision_model") and not is_siglip,
            is_dino=_dino_norm(model) is not None,
            keeps_shapes=clip_vision.image_size < 1,
            fingerprint=weights_fingerprint(model),
            norm_alone=model.vision_model.post_layernorm if _is_unfilled(model) else None,
        )

    @property
    def space(self) -> str:
        """An id that only these weights have."""
        return f"model:{self.fingerprint}"

    @property
    def working_bytes(self) -> int:
        """About what one picture needs while it is computed."""
        return (self.recipe.size // _PATCH) ** 2 * _TOKEN_BYTES

    def without_noise(self, output: Mapping[str, Any]) -> Mapping[str, Any]:
        """The output, its ``image_embeds`` unprojected where there is nothing to project by, as ComfyUI 0.32 has it."""
        if self.norm_alone is None:
            return output
        return {**output, "image_embeds": self.norm_alone(output["last_hidden_state"][:, 0])}

    def features(self, output: Mapping[str, Any], names: Sequence[str], recipe: Recipe) -> ImageFeatures:
        """The states in ComfyUI's output under the names of ours, those that are not there with the reason."""
        shown = output["last_hidden_state"]  # [N, T, W]
        last = self._last(output)
        first = int(self.has_class_token)
        has_embedding = self.projection_dim is not None
        return ImageFeatures(
            image_embeds=_plain(output["image_embeds"]) if has_embedding else None,
            cls_hidden=last[:, 0] if last is not None and first else None,
            patch_tokens=None if last is None else last[:, first:],
            penultimate_hidden=_plain(output["penultimate_hidden_states"]),
            last_hidden=last,
            projected_patches=_plain(shown) if self.is_dino else None,
            names=tuple(names),
            kept=tuple(range(len(names))),
            absent=self._absent(last is None),
            grid=_grid(output, int(shown.shape[1]) - first),
            hidden_size=int(shown.shape[2]),
            projection_dim=self.projection_dim,
            num_tokens=int(shown.shape[1]),
            has_class_token=self.has_class_token,
            recipe=recipe,
            fingerprint=self.fingerprint,
            space=self.space,
            # whatever the type of its weights, ComfyUI computes in this one
            dtype="fp32",
        )

    def _last(self, output: Mapping[str, Any]) -> Tensor | None:
        if self.is_last_plain:
            return _plain(output["last_hidden_state"])
        layers = output.get("all_hidden_states")
        return None if layers is None else _plain(layers[:, -1])

    def _absent(self, has_no_last: bool) -> dict[str, str]:
        absent = dict.fromkeys(("image_embeds", "projected_patches"), self.no_embedding) if self.no_embedding else {}
        if not self.no_embedding and not self.is_dino:
            absent["projected_patches"] = f"ComfyUI projects no single tokens; {_BY_LOADER}"
        if has_no_last:
            absent |= dict.fromkeys(("last_hidden", "patch_tokens", "cls_hidden"), _NORMED)
        if not self.has_class_token:
            absent["cls_hidden"] = "the model has no class token; use image_embeds or patch_tokens"
        return absent


def weights_fingerprint(model: nn.Module) -> str:
    """A hash of the shape and the first numbers of every weight: equal for equal weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().flatten()[:_SAMPLE].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _projection(model: nn.Module) -> tuple[int | None, str]:
    """The length of an embedding, or why there is none."""
    if _is_siglip(model):
        return None, f"ComfyUI loads a SigLIP without its pooling head, so it has no embedding; {_BY_LOADER}"
    if not hasattr(model, "vision_model"):
        norm: Any = _dino_norm(model)
        if norm is None:
            return None, f"ComfyUI gives states alone of a {type(model).__name__}; {_BY_LOADER}"
        return int(norm.weight.shape[0]), ""
    weight = _projection_weight(model)
    if weight is None or _is_unfilled(model):
        return None, (
            "the file of the CLIP_VISION has no visual projection, so that its pictures have states but no embedding; "
            "load a file with one, such as clip_vision_h or a full CLIP model"
        )
    return int(weight.shape[0]), ""


def _dino_norm(model: nn.Module) -> nn.Module | None:
    """The final norm of a DINO, after which its class token is the embedding; None of another model."""
    if hasattr(model, "vision_model"):
        return None
    norm: nn.Module | None = getattr(model, "layernorm", None) or getattr(model, "norm", None)
    return norm


def _projection_weight(model: nn.Module) -> Tensor | None:
    """None where nothing projects, as in ComfyUI from 0.32 for a file without projection."""
    weight: Tensor | None = getattr(getattr(model, "visual_projection", None), "weight", None)
    return weight


def _is_unfilled(model: nn.Module) -> bool:
    """Whether the file had no projection, for which ComfyUI before 0.32 leaves the memory as it was."""
    weight = _projection_weight(model)
    return weight is not None and not is_trained_projection(weight)


def _is_siglip(model: nn.Module) -> bool:
    embeddings = getattr(getattr(model, "vision_model", None), "embeddings", None)
    return embeddings is not None and getattr(embeddings, "class_embedding", None) is None


def _recipe(clip_vision: Any, *, is_siglip: bool) -> Recipe:
    mean, std = (tuple(map(float, values)) for values in (clip_vision.image_mean, clip_vision.image_std))
    return Recipe(
        size=clip_vision.image_size if clip_vision.image_size > 0 else _USUAL_SIDE,
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        fit="squash" if is_siglip else "crop",
        reference="comfy",
    )


def _grid(output: Mapping[str, Any], patches: int) -> tuple[int, int]:
    """Rows and columns of patches."""
    sizes = output.get("image_sizes")
    height, width = (int(side) for side in sizes[0][1:]) if sizes else (1, 1)
    rows = max(1, round((patches * height / width) ** 0.5))
    return rows, patches // rows


def _plain(state: Tensor | None) -> Tensor | None:
    return None if state is None else state.to("cpu").float()
