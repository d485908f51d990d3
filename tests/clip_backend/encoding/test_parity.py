"""Encoders of whole models: their embeddings, states and scales are those of transformers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.encoding.image_features import STATE_NAMES
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.tokenizing.tokenizer import batch_of
from clip_grid.errors import SpaceError

from ..tiny_models import random_pictures, tiny_clip, tiny_siglip

#: Makes transformers resize by Pillow.
PIL_PROCESSOR = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    return tiny_siglip(tmp_path_factory.mktemp("siglip") / "tiny-siglip")


def load(model, **options):
    return load_encoder(model, device="cpu", encoders=EncoderCache(), **options)


TEXTS = ["a photo of a cat", "日本の寺院 と 桜", "it's a dog", "a cat and a dog " * 40, "&amp; (masterpiece:1.2)"]
#: The same as SigLIP reads them: in lower case and without punctuation, which its own tokenizer takes away.
CANONICAL = [*TEXTS[:2], "its a dog", TEXTS[3].strip(), "amp masterpiece12"]


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_pictures_have_the_embeddings_of_transformers(family, request):
    tiny = request.getfixturevalue(family)
    pictures = random_pictures(5)

    ours = load(tiny.folder).encode_images(pictures, batch_size=2)

    np.testing.assert_allclose(ours.image_embeds, tiny.images(pictures), atol=1e-5)


@pytest.mark.parametrize(("family", "read"), [("clip", TEXTS), ("siglip", CANONICAL)])
def test_texts_have_the_embeddings_of_transformers(family, read, request):
    tiny = request.getfixturevalue(family)
    theirs = torch.nn.functional.normalize(tiny.texts(read), dim=-1)

    ours = load(tiny.folder).encode_texts(TEXTS)

    np.testing.assert_allclose(ours.vectors, theirs, atol=1e-5)


def test_longclip_reads_long_texts_as_transformers_does(tmp_path):
    tiny = tiny_clip(tmp_path / "tiny-longclip", context=248)
    texts = ["a cat", "a cat and a dog " * 12, "a cat and a dog " * 80]
    theirs = torch.nn.functional.normalize(tiny.texts(texts), dim=-1)

    encoder = load(tiny.folder)
    ours = encoder.encode_texts(texts)

    assert read_checkpoint(tiny.folder).family == "longclip"
    assert encoder.tokenizer.context == 248
    assert [bool(dropped) for dropped in ours.dropped] == [False, False, True]
    np.testing.assert_allclose(ours.vectors, theirs, atol=1e-5)


def test_every_state_is_that_of_transformers(clip):
    pictures = random_pictures(3)
    pixels = torch.stack([(to_tensor(one) - column(clip.mean)) / column(clip.std) for one in pictures])
    with torch.no_grad():
        theirs = clip.model.states(pixels)
        projected = clip.model.hf.visual_projection(clip.model.hf.vision_model.post_layernorm(theirs.hidden_states[-1]))

    ours = load(clip.folder).encode_images(pictures, wants=STATE_NAMES)

    close(ours.last_hidden, theirs.hidden_states[-1])
    close(ours.penultimate_hidden, theirs.hidden_states[-2])
    close(ours.patch_tokens, theirs.hidden_states[-1][:, 1:])
    close(ours.cls_hidden, theirs.hidden_states[-1][:, 0])
    close(ours.projected_patches, projected)
    close(ours.projected_patches[:, 0], ours.image_embeds)
    assert (ours.grid, ours.num_tokens, ours.hidden_size, ours.projection_dim) == ((4, 4), 17, 64, 24)


def test_pictures_of_any_size_have_the_embeddings_of_transformers_and_its_processor(clip):
    processor = transformers.AutoImageProcessor.from_pretrained(clip.folder, **PIL_PROCESSOR)
    pictures = [one for size in ((64, 48), (48, 64), (50, 50)) for one in random_pictures(1, size)]
    pixels = torch.cat([processor(one, return_tensors="pt").pixel_values for one in pictures])
    with torch.no_grad():
        theirs = clip.model.vision(pixels)

    ours = load(clip.folder, reference="hf", resampling="exact").encode_images(pictures)

    close(ours.image_embeds, theirs)


def test_one_broken_file_leaves_the_rows_of_the_others_as_they_are_alone(clip, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for path, one in zip(paths, random_pictures(7, (40, 50)), strict=True):
        one.save(path)
    encoder = load(clip.folder)
    alone = [encoder.encode_images(path).image_embeds for path in paths]
    paths[3].write_bytes(paths[3].read_bytes()[:60])

    together = load(clip.folder).encode_images(paths, batch_size=4, strict=False)

    assert together.kept == (0, 1, 2, 4, 5, 6)
    assert [failure.name for failure in together.failed] == [str(paths[3])]
    close(together.image_embeds, torch.cat([alone[index] for index in together.kept]))


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_a_text_has_the_same_features_among_others_as_alone(family, request):
    folder = request.getfixturevalue(family).folder
    texts = [*TEXTS, *(" ".join(["cat"] * count) for count in range(1, 30, 3))]

    together = load(folder).encode_texts(texts).vectors
    encoder = load(folder)
    alone = np.concatenate([encoder.encode_texts(text).vectors for text in texts[:4]])

    np.testing.assert_allclose(together[:4], alone, atol=1e-6)


def test_texts_cut_to_their_length_have_the_features_of_texts_that_fill_the_context(clip):
    encoder = load(clip.folder)
    part = encoder._texts.text
    ids, ends = batch_of(part.tokenizer.encode(TEXTS), part.tokenizer)
    full = np.pad(ids, ((0, 0), (0, 77 - ids.shape[1])), constant_values=part.tokenizer.pad_id)
    with torch.no_grad():
        padded = torch.nn.functional.normalize(part.tower(torch.from_numpy(full), torch.from_numpy(ends)), dim=-1)

    np.testing.assert_allclose(encoder.encode_texts(TEXTS).vectors, padded, atol=1e-6)


def test_a_long_text_may_be_encoded_in_parts(clip):
    encoder = load(clip.folder)
    long = "a photo of a cat. " * 2000

    cut = encoder.encode_texts(["a cat", long])
    whole = encoder.encode_texts(["a cat", long], long_text="mean")

    assert cut.dropped[0] == "" and len(cut.dropped[1]) > 10_000
    assert whole.dropped == ("", "")
    np.testing.assert_allclose(np.linalg.norm(whole.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(whole.vectors[0], cut.vectors[0])


def test_scale_and_bias_are_those_of_the_file(clip, siglip):
    assert load(clip.folder).logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert load(clip.folder).logit_bias == 0
    encoder = load(siglip.folder)
    assert encoder.logit_scale == pytest.approx(np.exp(4.7), rel=1e-6)
    assert encoder.logit_bias == pytest.approx(-12.9, rel=1e-6)
    assert "logit_scale" not in encoder.identity.assumed
    assert encoder.dim == 32


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_small_numbers_stay_close_to_float32(clip, dtype):
    pictures = random_pictures(4)
    exact = load(clip.folder).encode_images(pictures).to_features()

    encoder = load(clip.folder, dtype=dtype)
    rounded = encoder.encode_images(pictures)

    cosines = np.diag(exact.similarity(rounded.to_features()))
    assert cosines.min() >= (0.9999 if dtype == "fp16" else 0.999)
    assert rounded.dtype == dtype
    assert rounded.image_embeds.dtype == torch.float32


def test_pictures_and_texts_of_a_model_share_its_space(clip):
    encoder = load(clip.folder)

    cosines = encoder.encode_images(random_pictures(2)).to_features().similarity(encoder.encode_texts(["a", "b", "c"]))

    assert cosines.shape == (2, 3)
    assert encoder.dim == 24


def test_features_of_two_models_do_not_compare(clip, siglip):
    images = load(clip.folder).encode_images(random_pictures(1)).to_features()

    with pytest.raises(SpaceError):
        images.similarity(load(siglip.folder).encode_texts(["a"]))


def to_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


def column(values):
    return torch.tensor(values).view(3, 1, 1)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)
