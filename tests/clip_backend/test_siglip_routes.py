"""SigLIP gets the ids of its training from every kind of file: in lower case, padded on the right to its context."""

from __future__ import annotations

import json
import string

import pytest

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
from clip_grid.clip_backend.checkpoints.detection import SIGLIP2_VOCABULARY
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.tokenizing.find import find_tokenizer
from clip_grid.clip_backend.tokenizing.tokenizer import batch_of

from .checkpoints.safetensors_files import write_sparse
from .checkpoints.tensor_names import Text, Vision, hf_siglip, hf_siglip_text, timm_siglip
from .vocabularies import learn_siglip, learn_siglip2, size_of

TEXTS = ["A Photo of a Cat, sitting!", "it's a dog (1.2)", "日本の寺院 と 桜", "a cat and a dog " * 40]
VISION = Vision(32, 2, 64, 8, 16)
SIGLIP_CONFIG = {
    "model_type": "siglip",
    "vision_config": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "patch_size": 8,
                      "image_size": 32},
    "text_config": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
}  # fmt: skip
OPEN_CLIP_CONFIG = {
    "vision_cfg": {"timm_model_name": "vit_base_patch16_siglip_224", "image_size": 32},
    "text_cfg": {"width": 32, "layers": 2, "heads": 4, "context_length": 64, "no_causal_mask": True,
                 "proj_bias": True, "pool_type": "last", "tokenizer_kwargs": {"clean": "canonicalize"}},
}  # fmt: skip


def routes(folder, vocabulary):
    """A model of each route, and whether its file asks for texts without punctuation."""
    text = Text(32, 2, 64, 64, vocabulary)
    whole = hf_siglip(VISION, text)
    made = {
        "transformers": ("transformers/model.safetensors", whole, False),
        "open_clip": ("open_clip/open_clip_model.safetensors", timm_siglip(VISION, text), True),
        "one file": ("alone/siglip.safetensors", whole, False),
        "a text encoder": ("text/siglip_text.safetensors", hf_siglip_text(text, 32), False),
    }
    for name, shapes, _ in made.values():
        write_sparse(folder / name, {tensor: ("F16", shape) for tensor, shape in shapes.items()})
    (folder / "transformers" / "config.json").write_text(json.dumps(SIGLIP_CONFIG))
    (folder / "open_clip" / "open_clip_config.json").write_text(json.dumps({"model_cfg": OPEN_CLIP_CONFIG}))
    return {
        route: (folder / name if route in ("one file", "a text encoder") else (folder / name).parent, cleans)
        for route, (name, _, cleans) in made.items()
    }


def ids_of(path, vocabulary):
    tokenizer = find_tokenizer(read_checkpoint(path), given=vocabulary)
    ids, _ = batch_of(tokenizer.encode(TEXTS), tokenizer)
    return ids.tolist()


def padded(package, texts, end, pad):
    rows = [package.encode(text, add_special_tokens=False).ids[:63] for text in texts]
    return [[*row, end, *[pad] * (63 - len(row))] for row in rows]


def without_punctuation(text):
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


def test_every_route_gives_siglip2_the_ids_of_gemma_in_lower_case(tmp_path):
    vocabulary = learn_siglip2(tmp_path / "words")
    package = tokenizers.Tokenizer.from_file(str(vocabulary / "tokenizer.json"))

    for route, (path, cleans) in routes(tmp_path, SIGLIP2_VOCABULARY).items():
        assert read_checkpoint(path).family == "siglip2", route
        texts = [without_punctuation(text) if cleans else text.lower() for text in TEXTS]
        end, pad = package.token_to_id("<eos>"), package.token_to_id("<pad>")
        assert ids_of(path, vocabulary) == padded(package, texts, end, pad), route


def test_every_route_gives_siglip_its_ids_without_punctuation(tmp_path):
    vocabulary = learn_siglip(tmp_path / "words")
    package = tokenizers.Tokenizer.from_file(str(vocabulary / "tokenizer.json"))

    for route, (path, _) in routes(tmp_path, size_of(vocabulary)).items():
        assert read_checkpoint(path).family == "siglip", route
        end = package.token_to_id("</s>")
        assert ids_of(path, vocabulary) == padded(package, map(without_punctuation, TEXTS), end, end), route


def test_a_siglip2_with_fewer_tokens_is_known_by_the_vocabulary_of_gemma(tmp_path):
    vocabulary = learn_siglip2(tmp_path / "words")
    package = tokenizers.Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    path, _ = routes(tmp_path, size_of(vocabulary))["transformers"]

    end, pad = package.token_to_id("<eos>"), package.token_to_id("<pad>")
    assert ids_of(path, vocabulary) == padded(package, [text.lower() for text in TEXTS], end, pad)


def test_a_gguf_of_siglip_is_refused_with_the_cure(tmp_path):
    (tmp_path / "siglip.gguf").write_bytes(b"GGUF" + bytes(100))

    assert "use the .safetensors file of the same model" in read_checkpoint(tmp_path / "siglip.gguf").problem
