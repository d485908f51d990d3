"""Stand-ins for ComfyUI's CLIP_VISION and CLIP objects: a few random weights, and a record of every batch."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

#: CLIP's alphabet of 256 bytes, inside and at the end of a word, and its two special tokens.
LETTER_TOKENS = 2 * 256 + 2
SIDE, PATCH, WIDTH, DIM, VOCABULARY, CONTEXT = 28, 14, 16, 12, 49408, 77


class Output:
    """Attributes that may be read as items too."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class ToyVisionModel(nn.Module):
    """The first and last layers of a CLIP, or of a SigLIP without its head, and one layer that mixes tokens."""

    def __init__(self, *, projects: bool, siglip: bool) -> None:
        super().__init__()
        embeddings = nn.Module()
        embeddings.patch_embedding = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        embeddings.class_embedding = None if siglip else nn.Parameter(torch.randn(WIDTH))
        self.vision_model = nn.Module()
        self.vision_model.embeddings = embeddings
        self.vision_model.mix = nn.Linear(WIDTH, WIDTH)
        self.vision_model.post_layernorm = nn.LayerNorm(WIDTH)
        self.visual_projection = nn.Linear(WIDTH, DIM, bias=False) if projects else nn.Identity()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """States before and after the last layer, those that ComfyUI returns as last, and the embeddings."""
        parts = self.vision_model
        x = parts.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = parts.embeddings.class_embedding
        if first is None:
            last = parts.mix(x)
            normed = parts.post_layernorm(last)
            return x, last, normed, normed
        x = torch.cat([first.expand(len(x), 1, -1), x], dim=1)
        last = parts.mix(x + x.mean(dim=1, keepdim=True))
        return x, last, last, self.visual_projection(parts.post_layernorm(last[:, 0]))


class ToyDinoModel(nn.Module):
    """Patch embedding, one layer that mixes tokens, and the final norm."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.cls_token = nn.Parameter(torch.randn(WIDTH))
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.layernorm = nn.LayerNorm(WIDTH)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As ``ToyVisionModel``; the embedding is the first token after the norm."""
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), 1, -1), x], dim=1)
        last = self.mix(x + x.mean(dim=1, keepdim=True))
        normed = self.layernorm(last)
        return x, last, normed, normed[:, 0]


class ToyClipVision:
    """A CLIP_VISION; ``sizes`` are the shapes of the batches that it encoded."""

    def __init__(self, *, projects: bool = True, siglip: bool = False, dino: bool = False, most: int = 1000) -> None:
        torch.manual_seed(0)
        model = ToyDinoModel() if dino else ToyVisionModel(projects=projects, siglip=siglip)
        self.model = model.requires_grad_(False)
        self.load_device = torch.device("cpu")
        self.patcher = SimpleNamespace(load_device=self.load_device)
        self.dtype = torch.float32
        self.image_size = SIDE
        self.image_mean, self.image_std = [0.5, 0.4, 0.3], [0.2, 0.2, 0.2]
        self.siglip = siglip
        self.sizes: list[tuple[int, ...]] = []
        self._most = most

    def encode_image(self, image: torch.Tensor, crop: bool = True) -> Output:
        """As ComfyUI: resize the short side, crop the middle, round to 8 bits, then run the model."""
        self.sizes.append(tuple(image.shape))
        if len(image) > self._most:
            raise MemoryError
        before, last, shown, embeds = self.model(self._pixels(image, crop))
        output = Output()
        output.last_hidden_state, output.image_embeds, output.mm_projected = shown, embeds, None
        output.penultimate_hidden_states = before
        output.image_sizes = [torch.Size((3, SIDE, SIDE))] * len(image)
        if self.siglip:
            output.all_hidden_states = torch.stack([before, last], dim=1)
        return output

    def _pixels(self, image: torch.Tensor, crop: bool) -> torch.Tensor:
        planes = image[..., :3].movedim(-1, 1)
        height, width = planes.shape[2:]
        if (height, width) != (SIDE, SIDE):
            scale = SIDE / min(height, width)
            size = (round(scale * height), round(scale * width)) if crop else (SIDE, SIDE)
            planes = nn.functional.interpolate(planes, size=size, mode="bicubic", antialias=True)
            top, left = (planes.shape[2] - SIDE) // 2, (planes.shape[3] - SIDE) // 2
            planes = planes[:, :, top : top + SIDE, left : left + SIDE]
        planes = torch.clip(255.0 * planes, 0, 255).round() / 255.0
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.image_mean, self.image_std))
        return (planes - mean) / std


class ToyTextModel(nn.Module):
    """Token and position embeddings, and a projection."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        inner = nn.Module()
        inner.embeddings = nn.Module()
        inner.embeddings.token_embedding = nn.Embedding(vocabulary, width)
        inner.embeddings.position_embedding = nn.Embedding(CONTEXT, width)
        layer = nn.Module()
        layer.self_attn, layer.mlp = SimpleNamespace(heads=2), nn.Module()
        layer.mlp.fc1 = nn.Linear(width, 4 * width)
        inner.encoder = nn.Module()
        inner.encoder.layers = nn.ModuleList([layer])
        self.text_model = inner
        self.text_projection = nn.Linear(width, width, bias=False)


class ToyTower(nn.Module):
    """Like ComfyUI's SDClipModel: lists of ids to states and one pooled row per text."""

    def __init__(self, width: int, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        self.transformer = ToyTextModel(width, vocabulary)
        self.special_tokens = {"start": vocabulary - 2, "end": vocabulary - 1, "pad": 0}
        self.options: dict[str, Any] = {}
        self.batches: list[list[list[int]]] = []

    def set_clip_options(self, options: dict[str, Any]) -> None:
        self.options = self.options | options

    def reset_clip_options(self) -> None:
        self.options = {}

    def forward(self, tokens: list[list[int]]) -> tuple[None, torch.Tensor]:
        self.batches.append(tokens)
        embeddings = self.transformer.text_model.embeddings
        states = embeddings.token_embedding(torch.tensor(tokens)) + embeddings.position_embedding.weight  # all of them
        ends = [row.index(self.special_tokens["end"]) for row in tokens]
        pooled = torch.stack([state[: end + 1].mean(dim=0) for state, end in zip(states, ends, strict=True)])
        return None, self.transformer.text_projection(pooled) if self.options.get("projected_pooled") else pooled


def toy_clip(towers: dict[str, nn.Module], own: str | None = None) -> Any:
    """A CLIP with these text encoders; own: the name in a model that has only one."""
    model = nn.Module()
    for name, tower in towers.items():
        setattr(model, name, tower)
    if own:
        model.clip = own
    model.reset_clip_options = lambda: [tower.reset_clip_options() for tower in towers.values()]
    patcher = SimpleNamespace(load_device=torch.device("cpu"), patches={})
    return SimpleNamespace(cond_stage_model=model.requires_grad_(False), patcher=patcher)


def write_letters(folder: Path) -> Path:
    """A vocabulary of single letters as ComfyUI has its own, of LETTER_TOKENS tokens."""
    folder.mkdir()
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(code) for code in shown] + [chr(256 + n) for n in range(256 - len(shown))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(tokens)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    return folder
