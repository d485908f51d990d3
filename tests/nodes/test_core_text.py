"""Tests: a CLIP of ComfyUI's own loaders gives projected embeddings of plain texts, or says why it cannot."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.errors import InputError, SpaceError
from clip_grid.nodes.core.encoder import core_encoder
from clip_grid.nodes.core.text import core_text_encoder
from clip_grid.nodes.host.fake import FakeHost
from torch import nn

from .core_toys import CONTEXT, LETTER_TOKENS, ToyClipVision, ToyTower, toy_clip, write_letters

END = LETTER_TOKENS - 1


@pytest.fixture
def host(tmp_path):
    """A host whose ComfyUI has a vocabulary of single letters."""
    return FakeHost(tmp_path, vocabulary_folders=(write_letters(tmp_path / "sd1_tokenizer"),))


def tower(width=8):
    torch.manual_seed(width)
    return ToyTower(width, LETTER_TOKENS)


def raw(module, ids):
    """What the tower makes of ids, with its projection."""
    module.set_clip_options({"projected_pooled": True})
    return module([[*ids, *[0] * (CONTEXT - len(ids))]])[1].numpy()


def test_the_projection_is_applied_although_comfyui_leaves_it_out(host):
    own = tower()

    made = core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host).encode_texts(["hi"])

    ids = own.batches[0][0][:4]
    assert ids[0] == END - 1 and ids[3] == END
    wanted = raw(own, ids)[0]
    assert np.allclose(made.vectors[0], wanted / np.linalg.norm(wanted), atol=1e-6)


def test_comfyuis_options_are_as_they_were(host):
    own = tower()

    core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host).encode_texts(["hi"])

    assert own.options == {}


def test_prompt_weights_and_embeddings_are_plain_text(host):
    own = tower()
    encoder = core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host)

    made = encoder.encode_texts(["(a:1.5)", "a", "embedding:x", "<|endoftext|>"])

    lengths = [row.index(END) - 1 for batch in own.batches for row in batch]
    assert sorted(lengths) == [1, 7, 11, 13]
    assert not np.allclose(made.vectors[0], made.vectors[1])


def test_what_does_not_fit_is_told(host):
    own = tower()

    made = core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host).encode_texts(["a" * 80])

    assert made.dropped == ("a" * 5,)
    assert [len(row) for row in own.batches[0]] == [CONTEXT]


def test_of_several_towers_that_of_the_wanted_length_is_taken(host):
    clip = toy_clip({"clip_l": tower(8), "clip_g": tower(12), "t5xxl": nn.Linear(2, 2)})

    assert core_text_encoder(clip, host).dim == 12
    assert core_text_encoder(clip, host, dim=8).identity.name == "the CLIP (clip_l)"
    with pytest.raises(InputError, match="clip_g with 12 and clip_l with 8"):
        core_text_encoder(clip, host, dim=10)


def test_a_clip_without_a_clip_tower_is_refused_by_its_kind(host):
    clip = toy_clip({"t5xxl": nn.Linear(2, 2)}, "t5xxl")

    with pytest.raises(InputError, match="no CLIP text encoder"):
        core_text_encoder(clip, host)


@pytest.mark.parametrize("value", [0.0, 1e-7, float("nan"), 1e4])
def test_a_projection_that_nobody_filled_is_refused(host, value):
    own = tower()
    own.transformer.text_projection.weight.data = torch.randn(8, 8) * value

    with pytest.raises(InputError, match="clip missing"):
        core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host)


def test_a_layer_that_nobody_filled_is_refused(host):
    own = tower()
    own.transformer.text_model.final_layer_norm = nn.LayerNorm(8)
    own.transformer.text_model.final_layer_norm.weight.data.zero_()

    with pytest.raises(InputError, match="final_layer_norm"):
        core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host)


def test_embeddings_that_are_not_finite_are_refused(host):
    own = tower()
    own.transformer.text_model.embeddings.token_embedding.weight.data.fill_(float("nan"))

    with pytest.raises(InputError, match="not finite"):
        core_text_encoder(toy_clip({"clip_l": own}, "clip_l"), host).encode_texts(["hi"])


def test_a_lora_on_the_clip_is_noted(host):
    clip = toy_clip({"clip_l": tower()}, "clip_l")
    clip.patcher.patches = {"a": 1}

    assert "LoRA" in core_text_encoder(clip, host).identity.notes[0]


def test_sizes_that_are_of_no_clip_of_comfyui_are_not_put_together(host):
    with pytest.raises(SpaceError, match="both halves in one file"):
        core_encoder(ToyClipVision(), toy_clip({"clip_l": tower(12)}, "clip_l"), host)


def test_pictures_without_an_embedding_compare_with_nothing(host):
    with pytest.raises(InputError, match="no visual projection"):
        core_encoder(ToyClipVision(projects=False), toy_clip({"clip_l": tower(12)}, "clip_l"), host)
    with pytest.raises(InputError, match="pictures alone"):
        core_encoder(ToyClipVision(dino=True), toy_clip({"clip_l": tower(12)}, "clip_l"), host)
