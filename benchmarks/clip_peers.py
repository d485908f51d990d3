"""What CLIP encoders are measured by: transformers, open_clip and ComfyUI's own encoder, as people use them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Vectors = np.ndarray


class Transformers:
    """CLIPModel and its processor, in fp32, as most scripts load them."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

        self.torch = torch
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor = CLIPImageProcessor.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def files(self, paths: Sequence[Path], batch: int) -> Vectors:
        """Embeddings of picture files, so many at a time."""
        return np.concatenate([self.pictures(paths[i : i + batch]) for i in range(0, len(paths), batch)])

    def pictures(self, paths: Sequence[Path]) -> Vectors:
        """Embeddings of one batch."""
        images = [Image.open(path).convert("RGB") for path in paths]
        inputs = self.processor(images=images, return_tensors="pt")
        with self.torch.no_grad():
            return tensor_of(self.model.get_image_features(**inputs)).numpy()

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of one batch of texts, all padded to 77 tokens."""
        inputs = self.tokenizer(list(texts), padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        with self.torch.no_grad():
            return tensor_of(self.model.get_text_features(**inputs)).numpy()


def tensor_of(output: Any) -> Any:
    """The embeddings: transformers 4 gives the tensor itself, transformers 5 an object that holds it."""
    return output if hasattr(output, "numpy") else output.pooler_output


def zero_shot_labels(folder: Path, template: str) -> Callable[[Sequence[Path], Sequence[str]], list[dict[str, float]]]:
    """(files, labels) -> the probability of each label for each file, by the pipeline of transformers, in fp32."""
    import torch
    from transformers import pipeline

    classify = pipeline("zero-shot-image-classification", model=str(folder), dtype=torch.float32, device="cpu")

    def label(paths: Sequence[Path], labels: Sequence[str]) -> list[dict[str, float]]:
        answers = classify([str(path) for path in paths], candidate_labels=list(labels), hypothesis_template=template)
        return [{one["label"]: one["score"] for one in answer} for answer in answers]

    return label


def open_clip_files(name: str) -> Callable[[Sequence[Path], int], Vectors]:
    """(files, batch) -> embeddings by open_clip with its own transform; random weights, since it is timed alone."""
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"ViT-{name.replace('/', '-')}-quickgelu")
    model.eval()

    def encode(paths: Sequence[Path], batch: int) -> Vectors:
        parts = []
        for start in range(0, len(paths), batch):
            pixels = torch.stack([transform(Image.open(path)) for path in paths[start : start + batch]])
            with torch.no_grad():
                parts.append(model.encode_image(pixels).numpy())
        return np.concatenate(parts)

    return encode


def has_open_clip() -> bool:
    """Whether open_clip can be measured."""
    return find_spec("open_clip") is not None


def core_encoder(comfyui: Path, file: Path) -> Callable[[Any], Vectors]:
    """An IMAGE batch -> the embeddings of ComfyUI's CLIPVisionEncode, whose states are made as well."""
    if str(comfyui) not in sys.path:
        sys.path.append(str(comfyui))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.clip_vision
    import torch

    loaded = comfy.clip_vision.load(str(file))

    def encode(images: Any) -> Vectors:
        with torch.inference_mode():
            return loaded.encode_image(images).image_embeds.numpy()

    return encode


class RclipLoop(Transformers):
    """Files to unit vectors as rclip's indexing goes: each read and prepared in turn, then a batch of 8 computed."""

    #: rclip's own; the mean and deviation are those of CLIP.
    BATCH, SIDE = 8, 224
    MEAN = np.float32([0.48145466, 0.4578275, 0.40821073])
    STD = np.float32([0.26862954, 0.26130258, 0.27577711])

    def embed(self, paths: Sequence[Path]) -> Vectors:
        """The unit vector of each file, [N, D]."""
        parts = []
        for start in range(0, len(paths), self.BATCH):
            pixels = np.stack([self._pixels(path) for path in paths[start : start + self.BATCH]])
            with self.torch.no_grad():
                raw = tensor_of(self.model.get_image_features(pixel_values=self.torch.from_numpy(pixels))).numpy()
            parts.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
        return np.concatenate(parts)

    def _pixels(self, path: Path) -> np.ndarray:
        """float32 [3, S, S]: the shorter side resized by Pillow, the middle cut out, normalised."""
        image = Image.open(path).convert("RGB")
        scale = self.SIDE / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        left, top = (image.width - self.SIDE) // 2, (image.height - self.SIDE) // 2
        levels = np.asarray(image.crop((left, top, left + self.SIDE, top + self.SIDE)), np.float32) / 255
        return ((levels - self.MEAN) / self.STD).transpose(2, 0, 1)
