"""A model while it is trained: its feeds, the loss of a batch, and embeddings of the weights as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from ....errors import InputError
from ...encoding.features import Identity
from ...towers.cpu import fast_products
from .feeds import Feed
from .losses import infonce, siglip, weighted_bce
from .pairs import Ints
from .rows import Batch, Rows, batch_at
from .trainable import Tower, set_strength, trained_parameters

#: The largest factor of cosines, as in CLIP.
MOST_SCALE = math.log(100)
#: Pictures or texts that are embedded at a time for a measurement.
_AT_ONCE = 64
#: Rows from which the first bias is computed.
_SAMPLE = 64


def choose_loss(loss: str, rows: Rows) -> str:
    """The loss for the rows; raises InputError for one that cannot learn from them."""
    has_both = bool((rows.labels > 0).any() and (rows.labels <= 0).any())
    if loss == "auto":
        return "siglip" if has_both else "infonce"
    if loss == "bce" and not has_both:
        raise InputError("loss is bce, which needs rows with label 1 and rows with label 0; choose infonce or siglip")
    if loss == "infonce" and not (rows.labels > 0).any():
        raise InputError("loss is infonce, but no row has label 1; choose siglip, or add rows that match")
    return loss


class Trainee:
    """Two towers, of which at least one is trained."""

    def __init__(
        self, towers: Sequence[Tower], pictures: Feed, texts: Feed, loss: str, identity: Identity,
        random: torch.Generator, device: torch.device,
    ) -> None:  # fmt: skip
        self.towers, self.pictures, self.texts = towers, pictures, texts
        self.loss_name, self.device = loss, device
        self._random = random
        self._is_sigmoid = identity.is_sigmoid
        # InfoNCE keeps the model's scale: a loss that may raise it makes every cosine look surer than it is
        learns = loss != "infonce" and not identity.is_sigmoid
        self.log_scale = nn.Parameter(torch.tensor(math.log(identity.logit_scale), device=device), learns)
        self.bias = nn.Parameter(torch.tensor(identity.logit_bias, device=device), learns)
        self._share = 0.5

    def parameters(self) -> dict[str, nn.Parameter]:
        """All that is trained, by name; the loss's own scale and bias are no part of the model."""
        found: dict[str, nn.Parameter] = {}
        for tower in self.towers:
            found |= trained_parameters(tower)
        own = {"loss.log_scale": self.log_scale, "loss.bias": self.bias}
        return found | {name: one for name, one in own.items() if one.requires_grad}

    def begin(self, rows: Rows, seed: int) -> None:
        """Sets what the loss begins with: a bias by which the mean logit is that of the share of positives.

        Source for the prior: open_clip issue 650; the scale is the model's own, for whose cosines 0 is no threshold.
        """
        self._share = float(np.clip((rows.labels > 0).mean(), 0.01, 0.99))
        if self.loss_name == "infonce" or not self.bias.requires_grad:
            return
        batch = batch_at(rows, 0, _SAMPLE, seed)
        share = self._share if self.loss_name == "bce" else float(np.clip(batch.positives.mean(), 0.01, 0.99))
        with torch.no_grad():
            mean = (self.embed_pictures(batch.pictures) @ self.embed_texts(batch.texts).T).mean()
            self.bias.fill_(math.log(share / (1 - share)) - float(self.log_scale.exp() * mean))

    def seed_step(self, seed: int, step: int) -> None:
        """Lets dropout depend on the seed and the step alone."""
        self._random.manual_seed((seed << 32) + step)

    def computing(self) -> AbstractContextManager[object]:
        """The scope of a step: bf16 products on a GPU, with weights in float32; the fastest float32 on a processor."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return fast_products(self.device) if self.device.type == "cpu" else nullcontext()

    def train(self, is_training: bool) -> None:
        """Switches dropout on or off."""
        for tower in self.towers:
            tower.train(is_training)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""
        pictures = self.pictures.embeds(batch.pictures).float()
        # equal captions are computed once
        distinct, places = np.unique(batch.texts, return_inverse=True)
        texts = self.texts.embeds(distinct).float()[torch.from_numpy(places.reshape(-1)).to(self.device)]
        logits = self.log_scale.exp() * (pictures @ texts.T) + self.bias  # [B, M]
        if self.loss_name == "bce":
            labels = torch.from_numpy(batch.labels).to(self.device)
            return weighted_bce(logits.diagonal(), labels, self._share)
        positives = torch.from_numpy(batch.positives).to(self.device)
        if self.loss_name == "siglip":
            return siglip(logits, positives)
        return infonce(logits, positives, both_ways=not batch.has_classes)

    def clamp(self) -> None:
        """Keeps the scale at most at CLIP's limit."""
        if self.log_scale.requires_grad:
            with torch.no_grad():
                self.log_scale.clamp_(max=max(MOST_SCALE, 0.0))

    def embed_pictures(self, places: Ints) -> Tensor:
        """Unit vectors [N, P], float32, without gradients."""
        return self._embedded(self.pictures, places)

    def embed_texts(self, places: Ints) -> Tensor:
        """Unit vectors [N, P], float32, without gradients."""
        return self._embedded(self.texts, places)

    def _embedded(self, feed: Feed, places: Ints) -> Tensor:
        self.train(False)
        with torch.no_grad(), self.computing():
            parts = [feed.embeds(places[start : start + _AT_ONCE]).float() for start in range(0, len(places), _AT_ONCE)]
        return torch.cat(parts)

    def set_strength(self, strength: float, base: Mapping[str, Tensor], trained: Mapping[str, Tensor]) -> None:
        """See ``trainable.set_strength``."""
        for tower in self.towers:
            set_strength(tower, strength, base, trained)
