"""Trains the bundled model from random weights: ``python -m tools.shapes_demo.train OUT`` in the checkout."""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from clip_grid.clip_backend.tokenizing.clip import END, vocabulary_of
from torch.nn.functional import cross_entropy

from .dataset import draw_batch, draw_dataset
from .model import (
    Merge,
    ModelSizes,
    initialise_patches,
    learn_merges,
    make_model,
    normalised,
    take_vision_layers,
    tokenizer_json,
    write_model,
    write_tokenizer,
)
from .muon import Muon

if TYPE_CHECKING:
    from transformers import CLIPModel

log = logging.getLogger("clip_grid")
Tokenize = Callable[[Sequence[str]], dict[str, torch.Tensor]]
#: The highest logarithm of the logit scale, as in CLIP.
_HIGHEST_LOG_SCALE = math.log(100)
#: The learning rate rises for so many steps, and falls to 0 in this share of all.
_WARM_UP_STEPS = 200
_COOL_DOWN = 0.4
_REPORT_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the model is trained; the same settings give the same model on the same machine."""

    steps: int = 4000
    seed: int = 0
    batch: int = 64
    #: The learning rate of Muon; that of AdamW is a fraction of it.
    rate: float = 5e-3
    #: Pictures that are drawn in advance.
    pool: int = 6_000
    merges: int = 420
    #: The folder of a model of the same sizes whose vision layers are the first ones, instead of random ones.
    vision: Path | None = None
    sizes: ModelSizes = field(default_factory=ModelSizes)


class Trainer:
    """The model with its tokenizer and dataset, trained step by step."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._rng = np.random.default_rng(settings.seed)
        self._dataset = draw_dataset(settings.pool, settings.sizes.image_size, self._rng)
        texts = [text for _ in range(20) for text in draw_batch(self._dataset, 256, self._rng).texts]
        self.merges = learn_merges(texts, settings.merges)
        self.model = make_model(settings.sizes, len(vocabulary_of(self.merges)), settings.seed)
        if settings.vision:
            take_vision_layers(self.model, settings.vision)
        else:
            initialise_patches(self.model, self._dataset.pixels[:4000])
        self._tokenize = tokenizer_of(self.merges, settings.sizes.context)
        self._optimizers = _optimizers(self.model)

    def step(self, share: float) -> float:
        """Trains on one batch and returns its loss; ``share``: 0..1 of the full learning rate."""
        for optimizer, fraction in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = fraction * self.settings.rate * share
        batch = draw_batch(self._dataset, self.settings.batch, self._rng)
        out = self.model(pixel_values=normalised(batch.pixels), **self._tokenize(batch.texts))
        logits = self.model.logit_scale.exp() * out.image_embeds @ out.text_embeds.T  # [N, 2N]
        captions = zip(logits.chunk(2, 1), torch.from_numpy(batch.matches).chunk(2, 1), strict=True)
        loss = torch.stack([contrastive_loss(*one) for one in captions]).mean()
        self.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=_HIGHEST_LOG_SCALE)
        return loss.item()


def contrastive_loss(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """CLIP's loss of N pictures with their N captions: the mean cross-entropy of the own one, by row and by column.

    logits: [N, N], cosines times the scale; the n-th caption is the n-th picture's own. matches: bool [N, N], whether
    a caption is true of a picture; other captions that are true of a picture are left out, for they are no negatives
    of it. Source: CLIP paper (Radford et al. 2021), figure 3.
    """
    own = torch.eye(len(logits), dtype=torch.bool)
    logits, right = logits.masked_fill(matches & ~own, -torch.inf), torch.arange(len(logits))
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def tokenizer_of(merges: Sequence[Merge], context: int) -> Tokenize:
    """Texts -> the model's arguments ``input_ids`` and ``attention_mask``, int64 [N, L], L at most ``context``."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(merges)))
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(END), pad_token=END)

    def tokenize(texts: Sequence[str]) -> dict[str, torch.Tensor]:
        encoded = tokenizer.encode_batch(list(texts))
        ids, mask = [text.ids for text in encoded], [text.attention_mask for text in encoded]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}

    return tokenize


def _optimizers(model: CLIPModel) -> list[tuple[Muon | torch.optim.Optimizer, float]]:
    """Muon for the matrices within the layers, which learns shapes in half the steps, and AdamW for everything else.

    With each, its fraction of the learning rate.
    """
    inner = {name for name, weight in model.named_parameters() if ".layers." in name and weight.ndim == 2}
    matrices = [weight for name, weight in model.named_parameters() if name in inner]
    others = [weight for name, weight in model.named_parameters() if name not in inner]
    return [(Muon(matrices), 1.0), (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01), 0.3)]


def train(settings: Settings) -> Trainer:
    """A trainer whose model is trained to the end."""
    trainer = Trainer(settings)
    start = time.monotonic()
    losses = []
    for step in range(settings.steps):
        left = (settings.steps - step) / settings.steps
        losses.append(trainer.step(min(1.0, step / _WARM_UP_STEPS, left / _COOL_DOWN)))
        if len(losses) % _REPORT_STEPS == 0:
            minutes = (time.monotonic() - start) / 60
            log.info("step %d, %.1f minutes: loss %.3f", len(losses), minutes, np.mean(losses[-_REPORT_STEPS:]))
    return trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains a model as the command line says and writes it."""
    parser = argparse.ArgumentParser(description="Train the shapes-demo CLIP from random weights and write it.")
    parser.add_argument("out", type=Path, help="folder for weights, configuration and tokenizer")
    for name, kind in {"steps": int, "seed": int, "batch": int, "rate": float, "pool": int}.items():
        parser.add_argument(f"--{name}", type=kind, default=getattr(Settings(), name), help="default: %(default)s")
    parser.add_argument("--vision", type=Path, help="folder of a model whose vision layers come first; default: random")
    options = vars(parser.parse_args(arguments))
    out: Path = options.pop("out")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings(**options)
    trainer = train(settings)
    write_model(out, trainer.model, settings.sizes)
    write_tokenizer(out, trainer.merges, settings.sizes.context)
    log.info("wrote %s", out)


if __name__ == "__main__":
    main()
