"""The models that the benchmarks run: true shapes and random weights, made once and kept."""

from __future__ import annotations

from pathlib import Path

#: (vision width, layers, patch, text width, embedding)
SHAPES = {
    "B/32": (768, 12, 32, 512, 512),
    "L/14": (1024, 24, 14, 768, 768),
    "H/14": (1280, 32, 14, 1024, 1024),
}


def gflop_of(name: str) -> float:
    """10^9 operations of the matrix products, two for a multiplication with its addition, in a picture of 224²."""
    width, layers, patch, _, embedding = SHAPES[name]
    patches = (224 // patch) ** 2
    tokens = patches + 1
    layer = 12 * tokens * width**2 + 2 * tokens**2 * width
    return 2 * (layers * layer + patches * 3 * patch**2 * width + width * embedding) / 1e9


def model_folder(work: Path, name: str, vocabulary: Path) -> Path:
    """A folder as transformers writes it, in fp16, with image processor and tokenizer.

    vocabulary: a folder with CLIP's ``vocab.json`` and ``merges.txt``, as ComfyUI has one.
    """
    folder = work / name.replace("/", "-")
    if (folder / "model.safetensors").is_file():
        return folder
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    width, layers, patch, text_width, embedding = SHAPES[name]
    heads = 16 if width == 1280 else width // 64
    torch.manual_seed(0)
    vision = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "patch_size": patch}
    text = {"hidden_size": text_width, "num_attention_heads": text_width // 64, "eos_token_id": 49407}
    config = CLIPConfig(
        vision_config=vision | {"intermediate_size": 4 * width, "projection_dim": embedding},
        text_config=text | {"intermediate_size": 4 * text_width, "projection_dim": embedding},
        projection_dim=embedding,
    )
    CLIPModel(config).half().save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    CLIPTokenizer(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt")).save_pretrained(folder)
    return folder
