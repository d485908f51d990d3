"""What a CLIP_VISION of ComfyUI's loaders is: its preprocessing, its embedding, the states that ComfyUI returns.

If a file lacks weights, ComfyUI leaves them uninitialised and only logs it; they are recognised here by their values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...clip_backend.encoding.image_features import ImageFeatures
from ...clip_backend.preparing.preprocessing import Preprocessing
from ...errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

#: The standard deviation of a trained projection is about width ** -0.5; uninitialised memory is far from it.
MIN_SPREAD, MAX_SPREAD = 1e-3, 1.0
#: Working memory per token of the widest of these models (ViT-bigG), in bytes.
_TOKEN_BYTES = 4 * (7 * 1664 + 2 * 8192)
_PATCH = 14
#: Values at each end of a weight that go into the fingerprint.
_SAMPLE = 64
#: Side in pixels of an image of usual size, for a model that keeps the shapes of images.
_USUAL_SIDE = 256
_USE_LOADER = "choose the model in CLIP Model Loader instead"


@dataclass(frozen=True, kw_only=True)
class CoreVisionModel:
    """A CLIP_VISION, described."""

    preprocessing: Preprocessing
    #: The length of an embedding; None if there is none, and ``no_embedding`` is the reason.
    projection_dim: int | None
    no_embedding: str
    has_class_token: bool
    #: Whether ``last_hidden_state`` is the output of the last layer, before the final norm.
    has_plain_last: bool
    #: Whether it is a DINO: its embedding is the class token after the final norm.
    is_dino: bool
    #: Whether images keep their shapes, as for a SigLIP2 NaFlex.
    keeps_shapes: bool
    fingerprint: str
    #: The final norm of a model with an uninitialised projection.
    norm_without_projection: nn.Module | None

    @classmethod
    def of(cls, clip_vision: Any) -> CoreVisionModel:
        """Raises CheckpointError if weights of a norm are uninitialised."""
        model = clip_vision.model
        if broken := uninitialised_norms(model):
            raise CheckpointError("the CLIP_VISION", f"its file lacks weights ({broken[0]}); fetch it again")
        weight = getattr(getattr(model, "visual_projection", None), "weight", None)
        # a file without projection: ComfyUI before 0.32 leaves that of the model uninitialised, later ones have none
        is_uninitialised = weight is not None and not is_trained_projection(weight)
        dim, reason = _projection(model, None if is_uninitialised else weight)
        is_siglip = _is_siglip(model)
        return cls(
            preprocessing=_preprocessing(clip_vision, is_siglip=is_siglip),
            projection_dim=dim,
            no_embedding=reason,
            has_class_token=not is_siglip,
            has_plain_last=hasattr(model, "vision_model") and not is_siglip,
            is_dino=_dino_norm(model) is not None,
            keeps_shapes=clip_vision.image_size < 1,
            fingerprint=weights_fingerprint(model),
            norm_without_projection=model.vision_model.post_layernorm if is_uninitialised else None,
        )

    @property
    def space(self) -> str:
        """An embedding space of these weights alone."""
        return f"model:{self.fingerprint}"

    @property
    def working_bytes(self) -> int:
        """About the working memory for one image."""
        return (self.preprocessing.size // _PATCH) ** 2 * _TOKEN_BYTES

    def without_noise(self, output: Mapping[str, Any]) -> Mapping[str, Any]:
        """The output; with an uninitialised projection ``image_embeds`` is not projected, as in ComfyUI 0.32."""
        if self.norm_without_projection is None:
            return output
        return {**output, "image_embeds": self.norm_without_projection(output["last_hidden_state"][:, 0])}

    def features(self, output: Mapping[str, Any], names: Sequence[str], preprocessing: Preprocessing) -> ImageFeatures:
        """The states in ComfyUI's output under our names, with a reason for each one that is missing."""
        shown = output["last_hidden_state"]  # [N, T, W]
        last = self._last(output)
        first = int(self.has_class_token)
        return ImageFeatures(
            image_embeds=None if self.projection_dim is None else _on_cpu(output["image_embeds"]),
            cls_hidden=last[:, 0] if last is not None and first else None,
            patch_tokens=None if last is None else last[:, first:],
            penultimate_hidden=_on_cpu(output["penultimate_hidden_states"]),
            last_hidden=last,
            projected_patches=_on_cpu(shown) if self.is_dino else None,
            names=tuple(names),
            kept=tuple(range(len(names))),
            absent=self._absent(last is None),
            grid=_grid(output, int(shown.shape[1]) - first),
            hidden_size=int(shown.shape[2]),
            projection_dim=self.projection_dim,
            num_tokens=int(shown.shape[1]),
            has_class_token=self.has_class_token,
            preprocessing=preprocessing,
            fingerprint=self.fingerprint,
            space=self.space,
            # ComfyUI computes in fp32, whatever the type of the weights
            dtype="fp32",
        )

    def _last(self, output: Mapping[str, Any]) -> Tensor | None:
        if self.has_plain_last:
            return _on_cpu(output["last_hidden_state"])
        layers = output.get("all_hidden_states")
        return None if layers is None else _on_cpu(layers[:, -1])

    def _absent(self, has_no_last: bool) -> dict[str, str]:
        absent = dict.fromkeys(("image_embeds", "projected_patches"), self.no_embedding) if self.no_embedding else {}
        if not self.no_embedding and not self.is_dino:
            absent["projected_patches"] = f"ComfyUI projects no single tokens; {_USE_LOADER}"
        if has_no_last:
            reason = (
                "ComfyUI hands out the last states of this model after its final norm only; use the output socket, or "
                f"{_USE_LOADER}"
            )
            absent |= dict.fromkeys(("last_hidden", "patch_tokens", "cls_hidden"), reason)
        if not self.has_class_token:
            absent["cls_hidden"] = "the model has no class token; use image_embeds or patch_tokens"
        return absent


def is_trained_projection(weight: Tensor) -> bool:
    """Whether a matrix can be a trained projection: values of a plausible spread and no row of zeros."""
    values = weight.detach().float()
    # NaN compares as False
    return MIN_SPREAD < float(values.std()) < MAX_SPREAD and bool(values.any(dim=1).all())


def uninitialised_norms(model: nn.Module) -> list[str]:
    """The names of norm weights that are zero or not finite, which no trained model has."""
    parameters = ((name, weight) for name, weight in model.named_parameters() if weight.ndim == 1 and "norm" in name)
    weights = [(name, weight.detach().float()) for name, weight in parameters if name.endswith("weight")]
    return [name for name, weight in weights if not (bool(weight.isfinite().all()) and bool(weight.any()))]


def weights_fingerprint(model: nn.Module) -> str:
    """A hash of the names, shapes, and first and last values of all weights, of whatever type."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(_sample(weight))
    return digest.hexdigest()[:16]


def _sample(weight: Tensor) -> bytes:
    import torch

    # the quantised weights of other packs are of classes of their own, whose methods give other values
    values = torch.Tensor.as_subclass(weight.detach(), torch.Tensor).reshape(-1)
    ends = [values[:_SAMPLE], values[max(_SAMPLE, len(values) - _SAMPLE) :]]
    # in ComfyUI the type of a floating-point weight depends on the device
    numbers = torch.cat([end.float() if end.is_floating_point() else end for end in ends]).cpu()
    return numbers.contiguous().view(torch.uint8).numpy().tobytes()


def _projection(model: nn.Module, weight: Tensor | None) -> tuple[int | None, str]:
    """The length of an embedding, or None and the reason why there is none; weight: that of the projection."""
    if _is_siglip(model):
        return None, f"ComfyUI loads a SigLIP without its pooling head, so it has no embedding; {_USE_LOADER}"
    if not hasattr(model, "vision_model"):
        norm: Any = _dino_norm(model)
        if norm is None:
            return None, f"ComfyUI gives states alone of a {type(model).__name__}; {_USE_LOADER}"
        return int(norm.weight.shape[0]), ""
    if weight is None:
        return None, (
            "the file of the CLIP_VISION has no visual projection, so that its pictures have states but no embedding; "
            "load a file with one, such as clip_vision_h or a full CLIP model"
        )
    return int(weight.shape[0]), ""


def _dino_norm(model: nn.Module) -> nn.Module | None:
    """The final norm of a DINO; None for another model."""
    if hasattr(model, "vision_model"):
        return None
    norm: nn.Module | None = getattr(model, "layernorm", None) or getattr(model, "norm", None)
    return norm


def _is_siglip(model: nn.Module) -> bool:
    embeddings = getattr(getattr(model, "vision_model", None), "embeddings", None)
    return embeddings is not None and getattr(embeddings, "class_embedding", None) is None


def _preprocessing(clip_vision: Any, *, is_siglip: bool) -> Preprocessing:
    mean, std = (tuple(map(float, values)) for values in (clip_vision.image_mean, clip_vision.image_std))
    return Preprocessing(
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


def _on_cpu(states: Tensor | None) -> Tensor | None:
    return None if states is None else states.to("cpu").float()
