"""Encoders with another pool, without a causal mask, or with settings of their own, against plain formulas."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.checkpoints.weights import open_weights
from clip_grid.clip_backend.tokenizing.find import find_tokenizer
from clip_grid.clip_backend.tokenizing.tokenizer import batch_of
from clip_grid.clip_backend.towers.build import build_text, build_vision
from torch.nn.functional import gelu, layer_norm

from . import tiny_towers as tiny
from .vocabularies import learn_clip

HOW = {"device": "cpu", "dtype": torch.float32}
STATE = tiny.hf("clip")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny.write(STATE, tmp_path_factory.mktemp("tiny") / "model.safetensors")


def normed(states, name, eps=1e-5):
    return layer_norm(states, states.shape[-1:], STATE[f"{name}.weight"], STATE[f"{name}.bias"], eps)


def close(ours, theirs):
    return torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", [None, "class", "mean", "mean-then-norm"])
def test_pictures_are_pooled_as_open_clip_does(path, pool):
    info = tiny.info(path, pool=pool)
    tower = build_vision(info, open_weights(info), **HOW)

    output = tower(tiny.pictures(), states=True)

    last, norm = output.last_hidden, "vision_model.post_layernorm"
    pooled = {
        "mean": normed(last, norm)[:, 1:].mean(1),
        "mean-then-norm": normed(last[:, 1:].mean(1), norm),
    }.get(pool, normed(last[:, 0], norm))
    close(output.embeds, pooled @ STATE["visual_projection.weight"].T)
    # without the states an embedding may be computed from fewer tokens
    close(tower(tiny.pictures()).embeds, output.embeds)


def text_states(ids, is_causal, eps, activation):
    """The last states [B, L, W] by the formulas of a transformer, one head after the other."""
    x = STATE["text_model.embeddings.token_embedding.weight"][ids]
    x = x + STATE["text_model.embeddings.position_embedding.weight"][: ids.shape[1]]
    mask = torch.full((ids.shape[1],) * 2, float("-inf")).triu(1) if is_causal else 0
    for layer in (f"text_model.encoder.layers.{number}" for number in range(tiny.TEXT.layers)):
        inner = normed(x, f"{layer}.layer_norm1", eps)
        q, k, v = (through(inner, f"{layer}.self_attn.{part}_proj").chunk(tiny.TEXT.heads, -1) for part in "qkv")
        mixed = [
            torch.softmax(one @ other.mT / one.shape[-1] ** 0.5 + mask, -1) @ value
            for one, other, value in zip(q, k, v, strict=True)
        ]
        x = x + through(torch.cat(mixed, -1), f"{layer}.self_attn.out_proj")
        wide = activation(through(normed(x, f"{layer}.layer_norm2", eps), f"{layer}.mlp.fc1"))
        x = x + through(wide, f"{layer}.mlp.fc2")
    return normed(x, "text_model.final_layer_norm", eps)


def through(states, name):
    return states @ STATE[f"{name}.weight"].T + STATE[f"{name}.bias"]


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


@pytest.mark.parametrize("pool", ["end", "last", "first"])
@pytest.mark.parametrize("is_causal", [True, False])
def test_texts_are_masked_and_pooled_as_stated(path, pool, is_causal):
    info = tiny.info(path, text_pool=pool, is_causal=is_causal)
    ids, ends = tiny.texts()

    ours = build_text(info, open_weights(info), **HOW)(ids, ends)

    states = text_states(ids, is_causal, 1e-5, quick_gelu)
    rows = {"end": ends, "last": torch.full_like(ends, ids.shape[1] - 1), "first": torch.zeros_like(ends)}[pool]
    close(ours, states[torch.arange(len(ids)), rows] @ STATE["text_projection.weight"].T)


def test_each_encoder_has_its_own_activation_and_layer_norm(path):
    info = tiny.info(path, "clip", "quick_gelu", text_activation="gelu", text_eps=1e-2)
    weights = open_weights(info)
    ids, ends = tiny.texts()

    texts = build_text(info, weights, **HOW)(ids, ends)
    pictures = build_vision(info, weights, **HOW)(tiny.pictures()).embeds

    states = text_states(ids, True, 1e-2, gelu)
    close(texts, states[torch.arange(len(ids)), ends] @ STATE["text_projection.weight"].T)
    plain = tiny.info(path, "clip", "quick_gelu")
    close(pictures, build_vision(plain, open_weights(plain), **HOW)(tiny.pictures()).embeds)


@pytest.mark.parametrize("changes", [{"is_causal": False}, {"text_pool": "last"}])
def test_an_encoder_that_sees_the_padding_gets_that_of_open_clip(changes, tmp_path):
    folder = learn_clip(tmp_path)
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    shape = tiny.TextShape(width=24, layers=2, heads=3, mlp=48, context=12, vocabulary=len(vocabulary))

    tokenizer = find_tokenizer(tiny.info(folder, text=shape, **changes))
    ids, ends = batch_of(tokenizer.encode(["a cat", "! a dog and a cat"]), tokenizer)

    plain = find_tokenizer(tiny.info(folder, text=shape))
    for row, end, text in zip(ids, ends, plain.encode(["a cat", "! a dog and a cat"]), strict=True):
        assert row.tolist() == [*text.ids, *[0] * (12 - len(text.ids))]
        assert row[end] == vocabulary["<|endoftext|>"]
