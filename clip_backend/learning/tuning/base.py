"""The model that is trained: its encoder, for what stays frozen, and what its towers are built from anew."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ....errors import InputError
from ...checkpoints.info import CheckpointInfo
from ...checkpoints.trained_weights import open_merged
from ...checkpoints.training import TrainedOn
from ...encoding.encoder import ClipEncoder, Encoder
from ...finding.catalog import short_model_name
from ...preparing.preprocessing import Preprocessing
from ...tokenizing.tokenizer import Tokenizer
from ...towers.build import build_text, build_vision
from ...towers.towers import TextTower, VisionTower


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainableBase:
    """A CLIP or SigLIP with both towers, in one file or two."""

    encoder: ClipEncoder
    vision: CheckpointInfo
    text: CheckpointInfo
    preprocessing: Preprocessing
    tokenizer: Tokenizer
    device: torch.device
    allow_pickle: bool = False

    @classmethod
    def of(cls, encoder: Encoder) -> TrainableBase:
        """The base of a loaded encoder; raises InputError for one whose towers are not ours, or which lacks one."""
        name = encoder.identity.name
        if not isinstance(encoder, ClipEncoder) or encoder.built_from is None:
            raise InputError(f"{name} can learn heads such as ridge only; its towers are trained for CLIP and SigLIP")
        if encoder.preprocessing is None:
            raise InputError(f"{name} takes no pictures; choose a model with a vision tower")
        built = encoder.built_from
        return cls(
            encoder=encoder, vision=built.vision, text=built.text, preprocessing=encoder.preprocessing,
            tokenizer=encoder.tokenizer, device=built.options.device, allow_pickle=built.options.allow_pickle,
        )  # fmt: skip

    @property
    def identity(self) -> TrainedOn:
        """What trained files say of it; no path."""
        return TrainedOn(
            name=short_model_name(self.encoder.identity.name), fingerprint=self.encoder.fingerprint,
            preprocessing=self.preprocessing.fingerprint, tokenizer=self.tokenizer.fingerprint,
        )  # fmt: skip

    def build_vision(self) -> VisionTower:
        """The vision tower in float32, whatever its file holds: trained in fp16, weights become NaN."""
        weights = open_merged(self.vision, allow_pickle=self.allow_pickle)
        return build_vision(self.vision, weights, device=self.device, dtype=torch.float32, pack=False)

    def build_text(self) -> TextTower:
        """The text tower in float32."""
        weights = open_merged(self.text, allow_pickle=self.allow_pickle)
        return build_text(self.text, weights, device=self.device, dtype=torch.float32, pack=False)
