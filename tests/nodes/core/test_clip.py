"""Tests: a CLIP of ComfyUI's loaders gives projected embeddings of plain texts, or the reason why it cannot."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.errors import InputError, SpaceError
from clip_grid.nodes.core.clip import CoreEncoder, core_encoder, core_text_encoder
from clip_grid.nodes.core.vision import core_vision_encoder
from clip_grid.nodes.host.fake import FakeHost
from torch import nn

from ..toy_comfyui import CONTEXT, DIM, LETTER_TOKENS, ToyClipVision, ToyTower, toy_clip, write_letters

END = LETTER_TOKENS - 1


@pytest.fixture
def host(tmp_path):
    """A host whose ComfyUI has a vocabulary of single letters."""
    return FakeHost(tmp_path, vocabulary_folders=(write_letters(tmp_path / "sd1_tokenizer"),))


def tower(width=8):
    torch.manual_seed(width)
    return ToyTower(width, LETTER_TOKENS)


def clip_l(module):
    return toy_clip({"clip_l": module}, "clip_l")


def raw(module, ids):
    """The projected embedding of token ids."""
    module.set_clip_options({"projected_pooled": True})
    return module([[*ids, *[0] * (CONTEXT - len(ids))]])[1].numpy()


def test_the_projection_is_applied_although_comfyui_leaves_it_out(host):
    own = tower()

    made = core_text_encoder(clip_l(own), host).encode_texts(["hi"])

    ids = own.batches[0][0][:4]
    assert ids[0] == END - 1 and ids[3] == END
    wanted = raw(own, ids)[0]
    assert np.allclose(made.vectors[0], wanted / np.linalg.norm(wanted), atol=1e-6)


def test_comfyuis_options_are_reset(host):
    own = tower()

    core_text_encoder(clip_l(own), host).encode_texts(["hi"])

    assert own.options == {}


def test_prompt_weights_and_embeddings_are_plain_text(host):
    own = tower()

    made = core_text_encoder(clip_l(own), host).encode_texts(["(a:1.5)", "a", "embedding:x", "<|endoftext|>"])

    lengths = [row.index(END) - 1 for batch in own.batches for row in batch]
    assert sorted(lengths) == [1, 7, 11, 13]
    assert not np.allclose(made.vectors[0], made.vectors[1])


def test_the_end_of_a_text_that_does_not_fit_is_in_dropped(host):
    own = tower()

    made = core_text_encoder(clip_l(own), host).encode_texts(["a" * 80])

    assert made.dropped == ("a" * 5,)
    assert [len(row) for row in own.batches[0]] == [CONTEXT]


def test_of_several_text_encoders_the_one_with_the_wanted_length_is_taken(host):
    clip = toy_clip({"clip_l": tower(8), "clip_g": tower(12), "t5xxl": nn.Linear(2, 2)})

    assert core_text_encoder(clip, host).dim == 12
    assert core_text_encoder(clip, host, dim=8).identity.name == "the CLIP (clip_l)"
    with pytest.raises(InputError, match="clip_g with 12 and clip_l with 8"):
        core_text_encoder(clip, host, dim=10)


def test_a_clip_object_without_a_clip_text_encoder_is_refused(host):
    with pytest.raises(InputError, match="no CLIP text encoder"):
        core_text_encoder(toy_clip({"t5xxl": nn.Linear(2, 2)}, "t5xxl"), host)


@pytest.mark.parametrize("value", [0.0, 1e-7, float("nan"), 1e4])
def test_an_uninitialised_projection_is_refused(host, value):
    own = tower()
    own.transformer.text_projection.weight.data = torch.randn(8, 8) * value

    with pytest.raises(InputError, match="clip missing"):
        core_text_encoder(clip_l(own), host)


def test_an_uninitialised_layer_is_refused(host):
    own = tower()
    own.transformer.text_model.final_layer_norm = nn.LayerNorm(8)
    own.transformer.text_model.final_layer_norm.weight.data.zero_()

    with pytest.raises(InputError, match="final_layer_norm"):
        core_text_encoder(clip_l(own), host)


def test_embeddings_that_are_not_finite_are_refused(host):
    own = tower()
    own.transformer.text_model.embeddings.token_embedding.weight.data.fill_(float("nan"))

    with pytest.raises(InputError, match="not finite"):
        core_text_encoder(clip_l(own), host).encode_texts(["hi"])


# cached embeddings and LoRAs


def test_a_second_run_reads_no_text_again(host):
    own = tower()
    clip = clip_l(own)
    clip.patcher.patches_uuid = "of the first load"
    core_text_encoder(clip, host).encode_texts(["hi", "ho"])
    clip.patcher.patches_uuid = "of the second load"
    own.batches.clear()

    core_text_encoder(clip, host).encode_texts(["ho", "hi"])

    assert own.batches == []


def test_with_a_lora_the_texts_are_read_again_and_a_note_says_so(host):
    own = tower()
    clip = clip_l(own)
    core_text_encoder(clip, host).encode_texts(["hi"])
    own.batches.clear()
    clip.patcher.patches, clip.patcher.patches_uuid = {"a": 1}, "of the LoRA"

    encoder = core_text_encoder(clip, host)
    encoder.encode_texts(["hi"])

    assert len(own.batches) == 1
    assert "LoRA" in encoder.identity.notes[0]


# together with a CLIP_VISION


def test_a_clip_and_a_clip_vision_compare_images_with_texts(host):
    vision = core_vision_encoder(ToyClipVision(), host)
    text = core_text_encoder(clip_l(tower(DIM)), host, dim=DIM)
    encoder = CoreEncoder(vision, text, "assumed")
    images = torch.rand(3, 40, 56, 3, generator=torch.Generator().manual_seed(3))

    cosines = encoder.encode_images(images).to_features().similarity(encoder.encode_texts(["hi"]))

    assert cosines.shape == (3, 1) and np.isfinite(cosines).all()
    assert "space" in encoder.identity.assumed and encoder.identity.notes[0] == "assumed"


def pair(host, clip_vision, module):
    vision, text = core_vision_encoder(clip_vision, host), core_text_encoder(clip_l(module), host, dim=DIM)
    return CoreEncoder(vision, text, "assumed")


def test_both_models_of_a_pair_stand_in_its_space_and_fingerprint(host):
    tuned_vision, tuned_text = ToyClipVision(), tower(DIM)
    with torch.no_grad():
        tuned_vision.model.vision_model.post_layernorm.bias += 0.5
        next(weight for name, weight in tuned_text.named_parameters() if name.endswith("bias")).add_(0.5)
    first = pair(host, ToyClipVision(), tower(DIM))
    others = [pair(host, tuned_vision, tower(DIM)), pair(host, ToyClipVision(), tuned_text)]
    images = torch.rand(2, 40, 56, 3)

    pictures, texts = first.encode_images(images), first.encode_texts(["hi"])

    assert (pictures.space, texts.space, pictures.fingerprint) == (first.space, first.space, first.fingerprint)
    assert pair(host, ToyClipVision(), tower(DIM)).space == first.space
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 3
    for other in others:
        with pytest.raises(SpaceError):
            pictures.to_features().similarity(other.encode_texts(["hi"]))


def test_sizes_that_no_clip_of_comfyui_has_are_refused(host):
    with pytest.raises(SpaceError, match="both encoders in one file"):
        core_encoder(ToyClipVision(), clip_l(tower(12)), host)


def test_images_without_an_embedding_compare_with_nothing(host):
    with pytest.raises(InputError, match="no visual projection"):
        core_encoder(ToyClipVision(projects=False), clip_l(tower(12)), host)
    with pytest.raises(InputError, match="pictures alone"):
        core_encoder(ToyClipVision(dino=True), clip_l(tower(12)), host)
