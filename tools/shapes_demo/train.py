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
from clip_grid.errors import MissingPackage
from torch.nn.functional import cross_entropy, softplus

from .dataset import COSINE_THRESHOLD, draw_batch, draw_dataset
from .model import (
    Merge,
    ModelSizes,
    initialise_patches,
    learn_merges,
    make_model,
    normalised,
    tokenizer_json,
    write_model,
    write_tokenizer,
)

if TYPE_CHECKING:
    from transformers import CLIPModel

log = logging.getLogger("clip_grid")
Tokenize = Callable[[Sequence[str]], dict[str, torch.Tensor]]
#: The highest logarithm of the logit scale, as in CLIP.
_HIGHEST_LOG_SCALE = math.log(100)
_WARM_UP_STEPS = 200
_REPORT_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the model is trained.

    Training ends after ``steps`` or ``minutes``, whichever is first. Ended by its steps, the same seed gives the same
    model on the same machine.
    """

    steps: int = 4000
    minutes: float = 25.0
    seed: int = 0
    batch: int = 64
    #: The learning rate of Muon; that of AdamW is a fraction of it.
    rate: float = 5e-3
    #: Pictures that are drawn in advance.
    pool: int = 30_000
    merges: int = 420
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
        cosines = out.image_embeds @ out.text_embeds.T  # [N, M]
        loss = total_loss(cosines, self.model.logit_scale.exp(), torch.from_numpy(batch.matches), batch.fields)
        self.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=_HIGHEST_LOG_SCALE)
        return loss.item()


def total_loss(
    cosines: torch.Tensor, scale: torch.Tensor, matches: torch.Tensor, fields: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The contrastive loss of both captions in both directions, the loss of each field's words, and of the threshold.

    cosines: [N, M] of N pictures and M texts, of which the first N and the next N are the pictures' own. matches: bool
    [N, M], whether a text is true of a picture. fields: the texts that are the words of one field, as (start, end).
    """
    count, total = cosines.shape
    logits = scale * cosines
    loss = logits.new_zeros(())
    for start in (0, count):
        order = [*range(start, start + count), *range(start), *range(start + count, total)]  # the own ones first
        own = slice(start, start + count)
        loss = loss + contrastive_loss(logits[:, order], matches[:, order]) / 4
        loss = loss + contrastive_loss(logits[:, own].T, matches[:, own].T) / 4
    for start, end in fields:
        loss = loss + word_loss(logits[:, start:end], matches[:, start:end]) / len(fields)
    return loss + threshold_loss(scale * (cosines - COSINE_THRESHOLD), matches)


def contrastive_loss(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of each row's own column, the n-th of the n-th; other columns that match are left out.

    logits, matches: [N, M], M >= N. Source: CLIP paper (Radford et al. 2021), figure 3; equal texts are no negatives.
    """
    own = torch.eye(*logits.shape, dtype=torch.bool)
    return cross_entropy(logits.masked_fill(matches & ~own, -torch.inf), torch.arange(len(logits)))


def word_loss(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of the one column that matches; rows without one are left out.

    Detailed captions mostly differ in their colours, so that shapes and sizes would be learnt late from them alone.
    """
    has_match = matches.any(1)
    if not has_match.any():
        return logits.sum() * 0
    return cross_entropy(logits[has_match], matches[has_match].int().argmax(1))


def threshold_loss(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean sigmoid loss of each pair, true pairs counting as much as all others together.

    Source: SigLIP (Zhai et al. 2023); the bias is given by COSINE_THRESHOLD and not learnt.
    """
    weights = torch.where(matches, 0.5 / matches.sum(), 0.5 / (~matches).sum())
    return (weights * softplus(torch.where(matches, -logits, logits))).sum()


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


def _optimizers(model: CLIPModel) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices within the layers, which learns shapes in half the steps, and AdamW for everything else.

    With each, its fraction of the learning rate. Raises MissingPackage if torch is older than 2.9, without Muon.
    """
    if not hasattr(torch.optim, "Muon"):
        raise MissingPackage(f"training needs torch 2.9 or newer, and this is {torch.__version__}; update torch")
    inner = {name for name, weight in model.named_parameters() if ".layers." in name and weight.ndim == 2}
    matrices = [weight for name, weight in model.named_parameters() if name in inner]
    others = [weight for name, weight in model.named_parameters() if name not in inner]
    muon = torch.optim.Muon(matrices, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    return [(muon, 1.0), (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01), 0.3)]


def train(settings: Settings) -> Trainer:
    """A trainer whose model is trained to the end."""
    trainer = Trainer(settings)
    start = time.monotonic()
    losses = []
    for step in range(settings.steps):
        minutes = (time.monotonic() - start) / 60
        done = max(step / settings.steps, minutes / settings.minutes)
        if done >= 1:
            break
        # a warm-up, then a cosine schedule down to 0
        losses.append(trainer.step(min(1.0, step / _WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * done))))
        if len(losses) % _REPORT_STEPS == 0:
            log.info("step %d, %.1f minutes: loss %.3f", len(losses), minutes, np.mean(losses[-_REPORT_STEPS:]))
    return trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains a model as the command line says and writes it."""
    parser = argparse.ArgumentParser(description="Train the shapes-demo CLIP from random weights and write it.")
    parser.add_argument("out", type=Path, help="folder for weights, configuration and tokenizer")
    for name, kind in {"steps": int, "minutes": float, "seed": int, "batch": int, "rate": float, "pool": int}.items():
        parser.add_argument(f"--{name}", type=kind, default=getattr(Settings(), name), help="default: %(default)s")
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
