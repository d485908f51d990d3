"""What the trained blocks of a tower are fed with: computed once by the frozen blocks, or pixels and token ids."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....imaging import Progress, content_hash
from ...encoding.batching import LocalPlacement, batched
from ...encoding.cache import EmbeddingCache
from ...encoding.encoder import ClipEncoder
from ...encoding.features import unit_rows
from ...encoding.image_features import StateName, TowerVisionEncoder, capabilities_of
from ...encoding.outcomes import Ok, Outcome
from ...preparing.pictures import TarMember
from ...preparing.preprocessing import Preprocessing, normalised
from ...tokenizing.tokenizer import batch_of
from ...towers.towers import TextTower, VisionTower
from .row_files import RowFiles
from .trainable import TowerPlan

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder
    from .base import TrainableBase

Ints = NDArray[np.int64]
#: Texts that the frozen blocks compute at a time.
_TEXTS = 64


@dataclass(frozen=True, kw_only=True)
class _FrontEncoder(TowerVisionEncoder):
    """A vision encoder whose embeddings are what enters the first trained block, or the prepared pixels themselves."""

    tower: VisionTower
    #: None for pixels.
    layer: int | None

    def states(
        self, prepared: Sequence[Tensor], preprocessing: Preprocessing, wants: Sequence[StateName]
    ) -> dict[StateName, Tensor]:
        if self.layer is None:
            return {"embeds": torch.stack(list(prepared))}
        with torch.no_grad():
            pixels = normalised(prepared, preprocessing, self.placement.device)
            return {"embeds": self.tower.tokens_before(pixels, self.layer).float().cpu()}


class FrozenFeed:
    """Unit vectors of a tower that is not trained, by the encoder of the base model and its cache [N, P]."""

    def __init__(self, rows: NDArray[np.float32], device: torch.device, failed: Mapping[int, str]) -> None:
        self.failed = dict(failed)
        self._rows = torch.from_numpy(rows).to(device)

    def embeds(self, places: Ints) -> Tensor:
        """Unit vectors [B, P]."""
        return self._rows[torch.from_numpy(places).to(self._rows.device)]


def frozen_pictures(
    encoder: Encoder, pictures: Sequence[Any], device: torch.device, progress: Progress | None
) -> FrozenFeed:
    """The feed of a frozen vision tower; pictures that cannot be read are ``failed``."""
    found = encoder.encode_images(list(pictures), strict=False, progress=progress)
    width = found.projection_dim or 1
    rows = np.zeros((len(pictures), width), np.float32)
    if found.image_embeds is not None:
        rows[list(found.kept)] = unit_rows(found.image_embeds.numpy(), found.names)
    return FrozenFeed(rows, device, {one.index: f"{one.name}: {one.reason}" for one in found.failed})


def frozen_texts(encoder: Encoder, texts: Sequence[str], device: torch.device) -> FrozenFeed:
    """The feed of a frozen text tower."""
    return FrozenFeed(encoder.encode_texts(list(texts)).vectors, device, {})


class PictureFeed:
    """What the trained blocks of a vision tower take, from disk: states [T, W], or pixels uint8 [S, S, 3]."""

    def __init__(
        self, base: TrainableBase, tower: VisionTower, plan: TowerPlan, pictures: Sequence[Any], folder: Path, *,
        cached: bool, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.tower, self._first = tower, plan.first
        self._preprocessing = base.preprocessing
        self._pixels = plan.with_embeddings or not cached
        config, side = tower.config, base.preprocessing.size
        shape = (side, side, 3) if self._pixels else (config.tokens, config.width)
        key = [base.encoder.fingerprint, base.preprocessing.key, str(None if self._pixels else plan.first)]
        self.rows = RowFiles(
            folder / "vision", _key([*key, *map(picture_key, pictures)]), len(pictures), shape,
            np.uint8 if self._pixels else np.float32,
        )  # fmt: skip
        self._fill(base, pictures, progress)

    @property
    def failed(self) -> Mapping[int, str]:
        """Why some pictures cannot be used, by place."""
        return self.rows.failed

    def _fill(self, base: TrainableBase, pictures: Sequence[Any], progress: Progress | None) -> None:
        missing = self.rows.missing()
        todo = [row for part in missing for row in part]
        if not todo:
            return
        front = _FrontEncoder(
            tower=self.tower, layer=None if self._pixels else self._first,
            capabilities=capabilities_of(self.tower.config), placement=LocalPlacement(self.tower, self.tower.device),
        )  # fmt: skip
        # what is computed goes to disk, so that the cache in memory may forget it
        encoder = ClipEncoder(base.encoder.identity, vision=lambda: front, cache=EmbeddingCache())
        with closing(encoder.stream_images([pictures[row] for row in todo])) as outcomes:
            numbered = zip(todo, outcomes, strict=False)
            for part in missing:
                self._write(part, [outcome for _, outcome in _taken(numbered, len(part))])
                if progress:
                    progress(min(part.stop, len(pictures)), len(pictures))

    def _write(self, part: range, outcomes: Sequence[Outcome]) -> None:
        values = np.zeros((len(part), *self.rows.shape), self.rows.dtype)
        failed: dict[int, str] = {}
        for row, value, outcome in zip(part, range(len(part)), outcomes, strict=True):
            if isinstance(outcome, Ok):
                values[value] = outcome.rows["embeds"]
            else:
                failed[row] = f"{outcome.name}: {outcome.reason}"
        self.rows.write(part, values, failed)

    def embeds(self, places: Ints) -> Tensor:
        """Unit vectors [B, P], of the weights as they are now."""
        device, rows = self.tower.device, torch.from_numpy(self.rows.read(places))
        if self._pixels:
            tokens = self.tower.tokens_before(normalised(rows, self._preprocessing, device), self._first)
        else:
            tokens = rows.to(device, torch.float32)
        return torch.nn.functional.normalize(self.tower.embeds_from(tokens, self._first), dim=-1)


class TextFeed:
    """What the trained blocks of a text tower take: states [L, W] from disk, or token ids without frozen ones."""

    failed: Mapping[int, str] = {}

    def __init__(
        self,
        base: TrainableBase,
        tower: TextTower,
        plan: TowerPlan,
        texts: Sequence[str],
        folder: Path,
        *,
        cached: bool,
    ) -> None:
        self.tower, self._first = tower, plan.first
        ids, ends = batch_of(base.tokenizer.encode(list(texts)), base.tokenizer)
        self._ids, self._ends = torch.from_numpy(ids), torch.from_numpy(ends)
        self._rows: RowFiles | None = None
        # without frozen blocks the states are a look-up of embeddings
        if cached and plan.first and not plan.with_embeddings:
            key = _key([base.encoder.fingerprint, base.tokenizer.fingerprint, str(plan.first), *texts])
            shape = ids.shape[1], tower.config.width
            self._rows = RowFiles(folder / "text", key, len(texts), shape, np.float32)
            for part in self._rows.missing():
                self._rows.write(part, self._states(part), {})

    def _states(self, part: range) -> NDArray[np.float32]:
        with torch.no_grad():
            found = [
                self.tower.tokens_before(self._ids[rows[0] : rows[-1] + 1].to(self.tower.device), self._first).cpu()
                for rows in batched(part, lambda: _TEXTS)
            ]
        states: NDArray[np.float32] = torch.cat(found).float().numpy()
        return states

    def embeds(self, places: Ints) -> Tensor:
        """Unit vectors [B, P], of the weights as they are now."""
        device, rows = self.tower.device, torch.from_numpy(places)
        if self._rows is not None:
            tokens = torch.from_numpy(self._rows.read(places)).to(device)
        else:
            tokens = self.tower.tokens_before(self._ids[rows].to(device), self._first)
        found = self.tower.embeds_from(tokens, self._ends[rows].to(device), self._first)
        return torch.nn.functional.normalize(found, dim=-1)


Feed = FrozenFeed | PictureFeed | TextFeed


def _taken(numbered: Iterator[tuple[int, Outcome]], count: int) -> list[tuple[int, Outcome]]:
    return [next(numbered) for _ in range(count)]


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def picture_key(picture: Any) -> str:
    """Equal for a picture that has not changed since."""
    if isinstance(picture, TarMember):
        state = os.stat(picture.archive)
        return f"{picture} {picture.offset} {state.st_size} {state.st_mtime_ns}"
    if isinstance(picture, (str, os.PathLike)):
        try:
            state = os.stat(picture)
        except OSError:
            return f"{os.fspath(picture)} is gone"
        return f"{os.fspath(picture)} {state.st_size} {state.st_mtime_ns}"
    array = np.asarray(picture)
    return f"{content_hash(np.ascontiguousarray(array).data.cast('B'))} {array.shape}"
