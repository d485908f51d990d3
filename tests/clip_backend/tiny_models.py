"""Tiny random models in the layout of transformers, with a vocabulary, and what transformers says with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from .vocabularies import learn_clip, learn_siglip

SIDE = 32
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class TinyModel:
    """A model of transformers and the folder that it was saved to."""

    folder: Path
    model: object
    #: Ids of a batch of texts, padded as the family wants.
    tokenizer: object
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def images(self, pictures):
        """Raw embeddings [N, P] of pictures that already have the model's size."""
        levels = torch.from_numpy(np.stack([np.asarray(picture.convert("RGB")) for picture in pictures]))
        pixels = (levels.permute(0, 3, 1, 2) / 255 - shaped(self.mean)) / shaped(self.std)
        with torch.no_grad():
            return self.model.vision(pixels)

    def texts(self, texts):
        """Raw embeddings [N, P]."""
        with torch.no_grad():
            return self.model.text(self.tokenizer(texts))


def shaped(values):
    return torch.tensor(values).view(3, 1, 1)


def random_pictures(count, size=(SIDE, SIDE), seed=0):
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)) for _ in range(count)]


@dataclass(frozen=True)
class Clip:
    """CLIPModel, whatever the version of transformers answers with."""

    hf: object

    def vision(self, pixels):
        pooled = self.hf.vision_model(pixel_values=pixels).pooler_output
        return self.hf.visual_projection(pooled)

    def states(self, pixels):
        return self.hf.vision_model(pixel_values=pixels, output_hidden_states=True)

    def text(self, tokens):
        pooled = self.hf.text_model(**tokens).pooler_output
        return self.hf.text_projection(pooled)


@dataclass(frozen=True)
class Siglip:
    """SiglipModel, which has no projections."""

    hf: object

    def vision(self, pixels):
        return self.hf.vision_model(pixel_values=pixels).pooler_output

    def text(self, tokens):
        return self.hf.text_model(**tokens).pooler_output


def tiny_clip(folder, *, activation="quick_gelu", projection=24, context=77):
    """A CLIPModel of two layers, saved with preprocessor and vocabulary."""
    torch.manual_seed(3)
    learn_clip(folder)
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    end = vocabulary["<|endoftext|>"]
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": activation}
    text = {
        "hidden_size": 32, "intermediate_size": 64, "vocab_size": len(vocabulary), "max_position_embeddings": context,
        "eos_token_id": end, "bos_token_id": vocabulary["<|startoftext|>"], "pad_token_id": end,
    }  # fmt: skip
    vision = {"hidden_size": 64, "intermediate_size": 128, "image_size": SIDE, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text | sizes, vision_config=vision | sizes, projection_dim=projection)
    hf = transformers.CLIPModel(config).eval()
    hf.save_pretrained(folder)
    # not CLIPTokenizer, which in transformers 4 without ftfy sets spaces around each Chinese character
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder)
    write_preprocessor(folder, MEAN, STD, "CLIPImageProcessor")

    def tokens(texts):
        return tokenizer(texts, padding=True, truncation=True, max_length=context, return_tensors="pt")

    return TinyModel(folder, Clip(hf), tokens, MEAN, STD)


def tiny_siglip(folder):
    """A SiglipModel of two layers, saved with preprocessor and vocabulary."""
    torch.manual_seed(4)
    learn_siglip(folder)
    words = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
    text = {"vocab_size": len(words["model"]["vocab"]), "max_position_embeddings": 64, "projection_size": 32}
    vision = {"image_size": SIDE, "patch_size": 8}
    config = transformers.SiglipConfig(text_config=sizes | text, vision_config=sizes | vision)
    hf = transformers.SiglipModel(config).eval()
    with torch.no_grad():
        hf.logit_scale.fill_(4.7)
        hf.logit_bias.fill_(-12.9)
    hf.save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="</s>", eos_token="</s>", unk_token="<unk>"
    )
    write_preprocessor(folder, HALF, HALF, "SiglipImageProcessor")

    def tokens(texts):
        ids = tokenizer(texts, padding="max_length", truncation=True, max_length=64, return_tensors="pt").input_ids
        return {"input_ids": ids}

    return TinyModel(folder, Siglip(hf), tokens, HALF, HALF)


def write_preprocessor(folder, mean, std, kind):
    """As both families have it: crop for CLIP, squash for SigLIP."""
    crops = kind == "CLIPImageProcessor"
    size = {"shortest_edge": SIDE} if crops else {"height": SIDE, "width": SIDE}
    told = {
        "image_processor_type": kind, "image_mean": mean, "image_std": std, "resample": 3, "size": size,
        "do_resize": True, "do_rescale": True, "do_normalize": True, "do_center_crop": crops,
    }  # fmt: skip
    if crops:
        told["crop_size"] = {"height": SIDE, "width": SIDE}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
