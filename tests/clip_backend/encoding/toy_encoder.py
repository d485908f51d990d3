"""An encoder over towers that are a few lines of arithmetic, with counters and faults to order."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.encoding.features import Identity
from clip_grid.clip_backend.encoding.image_features import TowerVisionEncoder, VisionCapabilities
from clip_grid.clip_backend.encoding.texts import TextEncoder
from clip_grid.clip_backend.preparing.preprocessing import Preprocessing
from clip_grid.clip_backend.tokenizing.tokenizer import TokenizedText
from clip_grid.errors import InputError

SIDE = 4
PREPROCESSING = Preprocessing(size=SIDE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resampling="exact")


@dataclass
class States:
    embeds: torch.Tensor | None
    last_hidden: torch.Tensor | None = None
    penultimate: torch.Tensor | None = None


@dataclass
class ToyVision:
    """Four patches of 2 x 2 pixels and a class token, which is their mean; states are the means of each colour."""

    sizes: list[int] = field(default_factory=list)
    #: Pictures whose first number is above this come out as NaN.
    breaks_above: float = 2.0

    def __call__(self, pixels, *, states=False):
        self.sizes.append(len(pixels))
        patches = torch.nn.functional.avg_pool2d(pixels, 2).flatten(2).transpose(1, 2)  # [B, 4, 3]
        last = torch.cat([patches.mean(1, keepdim=True), patches], 1)  # [B, 5, 3]
        embeds = self.project(last)[:, 0]
        embeds[pixels[:, 0, 0, 0] > self.breaks_above] = float("nan")
        return States(embeds, last, last - 1) if states else States(embeds)

    def project(self, tokens):
        return torch.cat([tokens, torch.ones_like(tokens[..., :1])], -1)  # [B, T, 4]

    def memory_bytes(self, batch, device):
        return 1000 * batch


@dataclass
class ToyText:
    """The sum of the ids at each place of four, up to the end."""

    shapes: list[tuple[int, int]] = field(default_factory=list)
    #: Texts with a larger sum come out as infinite.
    breaks_above: float = float("inf")

    def __call__(self, ids, ends):
        self.shapes.append(tuple(ids.shape))
        rows = torch.zeros(len(ids), 4)
        for row, one, end in zip(rows, ids, ends, strict=True):
            for place in range(int(end) + 1):
                row[place % 4] += float(one[place])
        rows[rows.sum(1) > self.breaks_above] = float("inf")
        return rows

    def memory_bytes(self, batch, device):
        return 1000 * batch


class ToyTokenizer:
    """Letters are tokens, between 1 and 2."""

    marks = 2
    pad_id = 0
    fingerprint = "toy"

    def __init__(self, context=10, trims=True):
        self.context = context
        self.trims = trims

    def encode(self, texts, *, allow_empty=False):
        if not allow_empty and "" in texts:
            raise InputError(f"text {list(texts).index('')} is empty")
        length = self.context - 2
        return [TokenizedText(t, (1, *(ord(c) for c in t[:length]), 2), t[length:]) for t in texts]

    def spans(self, text):
        return [(n, n + 1) for n in range(len(text))]

    def cleaned(self, text):
        return text


@dataclass
class ToyPlacement:
    """Memory for so many thousands of bytes; the processor, if it comes to that, has more."""

    capacity: int = 1000
    cpu_capacity: int = 1000
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    asked: list[int] = field(default_factory=list)
    moved: bool = False

    def ready(self, working_bytes):
        self.asked.append(working_bytes)
        if working_bytes > self.capacity * 1000:
            raise torch.OutOfMemoryError("toy")

    def is_out_of_memory(self, error):
        return isinstance(error, torch.OutOfMemoryError)

    def empty_cache(self):
        pass

    def move_to_cpu(self):
        self.moved, self.capacity = True, self.cpu_capacity


ABLE = VisionCapabilities(width=3, tokens=5, grid=(2, 2), projection=4)


def toy_encoder(
    *, vision=None, text=None, tokenizer=None, able=ABLE, placement=None, cache=None, budget=None, dtype="fp32",
    in_fp32=None, text_in_fp32=None,
):  # fmt: skip
    """An encoder with both towers, unless ``vision`` or ``text`` is False; in_fp32: towers for another try in fp32."""
    place = placement or ToyPlacement()
    identity = Identity(
        name="toy", space="toy", dim=4, fingerprint="f", cache_key="toy fp32", dtype=dtype, preprocessing=PREPROCESSING
    )

    def sees(tower, other=None):
        retry = (lambda: sees(other)) if other else None
        return TowerVisionEncoder(tower=tower, capabilities=able, placement=place, in_fp32=retry)

    def reads(tower, other=None):
        retry = (lambda: reads(other)) if other else None
        return TextEncoder(tower=tower, tokenizer=tokenizer or ToyTokenizer(), placement=place, in_fp32=retry)

    return ClipEncoder(
        identity,
        vision=None if vision is False else lambda: sees(vision or ToyVision(), in_fp32),
        text=None if text is False else lambda: reads(text or ToyText(), text_in_fp32),
        cache=cache,
        budget_bytes=budget,
    )
