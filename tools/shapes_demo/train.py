"""Trains the demo's CLIP from nothing: ``python -m clip_grid.clip_backend.shapes_demo.train OUT``."""

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
from clip_grid.clip_backend.tokenizing.clip import vocabulary_of
from clip_grid.errors import MissingPackage

from .bpe import Pair, fast_tokenizer, learn_merges, write_tokenizer
from .lessons import Batch, draw_batch, draw_pool
from .losses import loss_of
from .model import Sizes, make_model, normalised, see_edges, write_model

if TYPE_CHECKING:
    from transformers import CLIPModel


log = logging.getLogger("clip_grid")
Encode = Callable[[Sequence[str]], dict[str, torch.Tensor]]
#: No softmax may be sharper than that of cosines times 100, as in CLIP.
_SHARPEST = math.log(100)
_WARM_UP_STEPS = 200
_REPORT_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the model learns.

    It ends after ``steps`` or ``minutes``, whichever is first. Ended by its steps, the same seed gives the same model
    on the same machine.
    """

    steps: int = 4000
    minutes: float = 25.0
    seed: int = 0
    batch: int = 64
    #: Of Muon; AdamW's is a part of it.
    rate: float = 5e-3
    #: Pictures that are drawn ahead.
    pool: int = 30_000
    merges: int = 420
    sizes: Sizes = field(default_factory=Sizes)


class Trainer:
    """A model with its tokenizer and its pictures, which learns step by step."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._rng = np.random.default_rng(settings.seed)
        self.pool = draw_pool(settings.pool, settings.sizes.image_size, self._rng)
        texts = [text for _ in range(20) for text in draw_batch(self.pool, 256, self._rng).texts]
        self.merges = learn_merges(texts, settings.merges)
        self.model = make_model(settings.sizes, len(vocabulary_of(self.merges)), settings.seed)
        see_edges(self.model, self.pool.pixels[:4000])
        self._encode = text_encoder(self.merges, settings.sizes.context)
        self._optimizers = _optimizers(self.model)

    def step(self, share: float) -> float:
        """The loss of one batch, which is then learnt from; ``share`` of the full learning rate, 0 to 1."""
        for optimizer, rate in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * self.settings.rate * share
        loss = self._loss(draw_batch(self.pool, self.settings.batch, self._rng))
        self.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=_SHARPEST)
        return loss.item()

    def _loss(self, batch: Batch) -> torch.Tensor:
        out = self.model(pixel_values=normalised(batch.pixels), **self._encode(batch.texts))
        cosines = out.image_embeds @ out.text_embeds.T  # [N, 3 N]
        return loss_of(cosines, self.model.logit_scale.exp(), torch.from_numpy(batch.matches), batch.fields)


def _optimizers(model: CLIPModel) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices within the layers, which learns shapes in half the steps, and AdamW for all else.

    With each, its learning rate as a part of the whole. Raises MissingPackage if torch is older than 2.9, without Muon.
    """
    if not hasattr(torch.optim, "Muon"):
        raise MissingPackage(f"training needs torch 2.9 or newer, and this is {torch.__version__}; update torch")
    inner = {name for name, weight in model.named_parameters() if ".layers." in name and weight.ndim == 2}
    matrices = [weight for name, weight in model.named_parameters() if name in inner]
    others = [weight for name, weight in model.named_parameters() if name not in inner]
    muon = torch.optim.Muon(matrices, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    return [(muon, 1.0), (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01), 0.3)]


def text_encoder(merges: Sequence[Pair], context: int) -> Encode:
    """Texts -> the model's arguments ``input_ids`` and ``attention_mask``, int64 [N, L], L at most ``context``."""
    from tokenizers import Tokenizer

    numbers = vocabulary_of(merges)
    end = len(numbers) - 1
    tokenizer = Tokenizer.from_str(json.dumps(fast_tokenizer(numbers, merges)))
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=end, pad_token=tokenizer.id_to_token(end))

    def encode(texts: Sequence[str]) -> dict[str, torch.Tensor]:
        found = tokenizer.encode_batch(list(texts))
        ids, mask = [text.ids for text in found], [text.attention_mask for text in found]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}

    return encode


def train(settings: Settings) -> Trainer:
    """A trainer whose model has learnt to the end."""
    trainer = Trainer(settings)
    began = time.monotonic()
    losses = []
    for step in range(settings.steps):
        minutes = (time.monotonic() - began) / 60
        done = max(step / settings.steps, minutes / settings.minutes)
        if done >= 1:
            break
        losses.append(trainer.step(_share_of_rate(step, done)))
        if len(losses) % _REPORT_STEPS == 0:
            log.info("step %d, %.1f minutes: loss %.3f", len(losses), minutes, np.mean(losses[-_REPORT_STEPS:]))
    return trainer


def _share_of_rate(step: int, done: float) -> float:
    """A warm-up, then down to nothing along a half wave."""
    return min(1.0, step / _WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * done))


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains and writes the model as the command line says."""
    parser = argparse.ArgumentParser(description="Train the shapes-demo CLIP from nothing and write it into a folder.")
    parser.add_argument("out", type=Path, help="folder for weights, configuration and tokenizer")
    options: tuple[tuple[str, type], ...] = (
        ("steps", int),
        ("minutes", float),
        ("seed", int),
        ("batch", int),
        ("rate", float),
        ("pool", int),
    )
    for name, kind in options:
        parser.add_argument(f"--{name}", type=kind, default=getattr(Settings(), name), help="default: %(default)s")
    given = vars(parser.parse_args(arguments))
    out: Path = given.pop("out")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings(**given)
    trainer = train(settings)
    write_model(out, trainer.model, settings.sizes)
    write_tokenizer(out, trainer.merges, settings.sizes.context)
    log.info("wrote %s", out)


if __name__ == "__main__":
    main()
