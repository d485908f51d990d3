"""The untrained model and its tokenizer, and the files of both in Hugging Face's layout."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from clip_grid.clip_backend.tokenizing.clip import BEGIN, END, PIECES, vocabulary_of
from safetensors.torch import load, save
from torch.nn.functional import unfold

if TYPE_CHECKING:
    from transformers import CLIPModel

#: Mean and standard deviation of CLIP's preprocessing.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
#: What CLIP's pre-tokenizer finds in captions, which have Latin letters alone.
_WORDS = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")
Merge = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelSizes:
    """The sizes of both towers; each attention head is 32 wide."""

    image_size: int = 40
    patch: int = 8
    width: int = 128
    layers: int = 4
    text_width: int = 64
    text_layers: int = 2
    context: int = 32
    projection: int = 64


def make_model(sizes: ModelSizes, tokens: int, seed: int) -> CLIPModel:
    """A CLIP with random weights from the seed."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    return CLIPModel(CLIPConfig(**_config(sizes, tokens)))


@torch.no_grad()
def initialise_patches(model: CLIPModel, pixels: npt.NDArray[np.uint8]) -> None:
    """Initialises the patch and position embeddings, so that training starts with edges and places.

    Patches are whitened: the kernels are the principal components of the pictures' patches, scaled to equal variance
    (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"). Positions are sines and cosines of row and column. pixels: as in
    ``normalised``.
    """
    embeddings = model.vision_model.embeddings
    kernel = embeddings.patch_embedding.weight  # [width, 3, patch, patch]
    patch = kernel.shape[-1]
    patches = unfold(normalised(pixels), patch, stride=patch).transpose(1, 2).flatten(0, 1)  # [P, 3 * patch ** 2]
    patches = patches[:: max(1, len(patches) // 100_000)]
    variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
    count = min(len(kernel), len(variances))
    scales = 0.5 / torch.sqrt(variances[-count:] + 1e-3 * variances.mean())
    kernel.zero_()
    kernel[:count] = (components[:, -count:] * scales).T.reshape(count, *kernel.shape[1:])
    positions = embeddings.position_embedding.weight  # [1 + side ** 2, width], the class token's first
    positions[1:] = 0.5 * _sinusoids(math.isqrt(len(positions) - 1), positions.shape[1])


def take_vision_layers(model: CLIPModel, folder: Path) -> None:
    """Takes all of the vision tower from the model in a folder, but not its projection: no cosine is carried over."""
    weights = load((folder / "model.safetensors").read_bytes())
    layers = {name: weight for name, weight in weights.items() if name.startswith("vision_model.")}
    model.load_state_dict({**model.state_dict(), **layers})


def _sinusoids(side: int, width: int) -> torch.Tensor:
    """float32 [side ** 2, width]: sines and cosines of the row, then of the column, of each patch."""
    angles = torch.arange(side)[:, None] / side * math.pi * torch.arange(1, width // 4 + 1) / 2
    waves = torch.cat([angles.sin(), angles.cos()], 1)  # [side, width / 2]
    rows, columns = waves[:, None].expand(side, side, -1), waves[None].expand(side, side, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)


def normalised(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """float32 [N, 3, side, side] of uint8 [N, side, side, 3]."""
    mean, std = torch.tensor(MEAN) * 255, torch.tensor(STD) * 255
    return ((torch.from_numpy(pixels).float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def write_model(folder: Path, model: CLIPModel, sizes: ModelSizes) -> None:
    """config.json, preprocessor_config.json and model.safetensors in fp16."""
    tokens = len(model.text_model.embeddings.token_embedding.weight)
    side = sizes.image_size
    preprocessor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    _write_json(folder / "config.json", {**_config(sizes, tokens), "torch_dtype": "float16"}, indent=2)
    _write_json(folder / "preprocessor_config.json", preprocessor, indent=2)
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    (folder / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))


def _config(sizes: ModelSizes, tokens: int) -> dict[str, Any]:
    """The content of config.json; begin and end of text are the last two tokens, as in CLIP."""
    vision = _tower_config(sizes.width, sizes.layers, "clip_vision_model")
    vision |= {"image_size": sizes.image_size, "patch_size": sizes.patch, "projection_dim": sizes.projection}
    text = _tower_config(sizes.text_width, sizes.text_layers, "clip_text_model")
    text |= {"vocab_size": tokens, "max_position_embeddings": sizes.context, "projection_dim": sizes.projection}
    text |= {"bos_token_id": tokens - 2, "eos_token_id": tokens - 1, "pad_token_id": tokens - 1}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": sizes.projection,
        "logit_scale_init_value": math.log(1 / 0.07),
        "text_config": text,
        "vision_config": vision,
    }


def _tower_config(width: int, layers: int, kind: str) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    heads = {"num_attention_heads": width // 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
    return {"model_type": kind, **sizes, **heads}


def learn_merges(texts: Iterable[str], count: int) -> list[Merge]:
    """At most ``count`` merges of byte pair encoding, the commonest pair first; fewer if every word is one token."""
    counts = Counter(word for text in texts for word in _WORDS.findall(text.lower()))
    words = {(*word[:-1], f"{word[-1]}</w>"): times for word, times in counts.items()}
    merges: list[Merge] = []
    while len(merges) < count:
        pairs: Counter[Merge] = Counter()
        for tokens, times in words.items():
            for pair in pairwise(tokens):
                pairs[pair] += times
        if not pairs:
            break
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        words = {_merged(tokens, merges[-1]): times for tokens, times in words.items()}
    return merges


def _merged(tokens: tuple[str, ...], pair: Merge) -> tuple[str, ...]:
    merged: list[str] = []
    for token in tokens:
        if merged and (merged[-1], token) == pair:
            merged[-1] += token
        else:
            merged.append(token)
    return tuple(merged)


def write_tokenizer(folder: Path, merges: Sequence[Merge], context: int) -> None:
    """vocab.json, merges.txt, tokenizer.json and tokenizer_config.json, as transformers expects them for CLIP."""
    _write_json(folder / "vocab.json", vocabulary_of(merges), indent=1)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
    _write_json(folder / "tokenizer.json", tokenizer_json(merges), indent=1)
    special = {"bos_token": BEGIN, "eos_token": END, "pad_token": END, "unk_token": END}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": context, "do_lower_case": True}
    _write_json(folder / "tokenizer_config.json", {**settings, **special}, indent=1)


def tokenizer_json(merges: Sequence[Merge]) -> dict[str, object]:
    """The content of tokenizer.json: the steps of CLIP's own tokenizer with these merges."""
    vocabulary = vocabulary_of(merges)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    split = {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Removed", "invert": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = {"sep": [END, vocabulary[END]], "cls": [BEGIN, vocabulary[BEGIN]]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token, **flags} for token in (BEGIN, END)],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {"type": "RobertaProcessing", **special, "trim_offsets": False, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": [" ".join(pair) for pair in merges],
        },
    }


def _write_json(path: Path, content: object, *, indent: int) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=indent) + "\n", "utf-8", newline="\n")
