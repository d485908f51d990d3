"""What users hand in by mistake: each is refused, or encoded, with a message that says what, which and what to do."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

for package in ("torch", "tokenizers", "safetensors"):
    pytest.importorskip(package)
import torch
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import CheckpointError, InputError, LimitError, PictureError, SpaceError

GREEN = Image.new("RGB", (30, 20), "green")
NAN = torch.full((8, 8, 3), float("nan"))


def load(model="shapes-demo", **options):
    return load_encoder(model, device="cpu", encoders=EncoderCache(), **options)


@pytest.fixture(scope="module")
def encoder():
    return load()


@pytest.fixture
def own(tmp_path):
    """A copy of the demo that a test may break."""
    return shutil.copytree(shapes_demo_path(), tmp_path / "own")


# pictures


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)], ids=str)
def test_a_point_and_a_line_of_4000_are_encoded(size, encoder):
    features = encoder.encode_images(Image.new("RGB", size, "red"))

    assert torch.isfinite(features.image_embeds).all()


@pytest.mark.parametrize("shape", [(3, 20, 30), (20, 30, 3), (20, 30), (20, 30, 1), (1, 20, 30)], ids=str)
def test_tensors_of_two_and_three_axes_are_one_picture(shape, encoder):
    assert encoder.encode_images(torch.full(shape, 0.5)).names == ("picture 1",)


BAD = {
    "zero-size array": (np.zeros((0, 5, 3), np.uint8), "picture 2: is 5 x 0 pixels.*leave it out"),
    "zero-size picture": (Image.new("RGB", (0, 5)), "picture 2: is 0 x 5 pixels.*leave it out"),
    "NaN": (NAN, "picture 2: holds NaN.*try it in fp32"),
    "levels to 255": (np.full((4, 4, 3), 200.0), "picture 2: .*divide them by 255"),
    "no such file": ("nowhere.png", "nowhere.png: cannot be opened"),
    "empty batch": (torch.zeros(0, 4, 4, 3), "an empty batch holds no picture; look at what made it"),
    "odd shape": (torch.zeros(5, 5, 5), r"shape \[5, 5, 5\].*C = 1, 3 or 4"),
    "five axes": (torch.zeros(1, 1, 2, 2, 3), r"shape \[1, 1, 2, 2, 3\].*C = 1, 3 or 4"),
    "whole numbers": (np.zeros((4, 4, 3), np.int64), "int64; make them floats of 0..1, or uint8"),
    "nothing": (None, "NoneType; give paths, PIL pictures"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_refused_with_the_cure(kind, encoder):
    bad, message = BAD[kind]

    with pytest.raises(InputError, match=message):
        encoder.encode_images([GREEN, bad])


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("given", [list, iter], ids=["list", "generator"])
def test_a_bad_picture_costs_itself_alone_where_that_is_wanted(kind, given, encoder):
    features = encoder.encode_images(given([GREEN, BAD[kind][0], GREEN]), strict=False)

    assert features.kept == (0, 2)
    (failure,) = features.failed
    assert (failure.index, failure.stage) == (1, "read")
    torch.testing.assert_close(features.image_embeds[1:], encoder.encode_images(GREEN).image_embeds)


def test_an_error_of_the_callers_own_generator_comes_out(encoder):
    def pictures():
        yield GREEN
        raise InputError("the folder is gone")

    with pytest.raises(InputError, match="the folder is gone"):
        encoder.encode_images([pictures()], strict=False)


@pytest.mark.parametrize("nothing", [[], (), iter([]), [[], []]], ids=["list", "tuple", "iterator", "empty batches"])
def test_no_picture_at_all_is_refused(nothing, encoder):
    with pytest.raises(InputError, match="no pictures were given; give at least one"):
        encoder.encode_images(nothing)


def test_a_file_that_disappears_between_listing_and_loading_is_named(tmp_path, encoder):
    def listed():
        for number in range(3):
            GREEN.save(tmp_path / f"{number}.png")
            if number == 1:
                (tmp_path / "1.png").unlink()
            yield tmp_path / f"{number}.png"

    with pytest.raises(PictureError, match=r"1\.png: cannot be opened"):
        encoder.encode_images(listed())


# texts


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no texts were given; give at least one"),
        ("", "text 0 is empty; give it words or leave it out"),
        (["red", " "], "text 1 is empty; give it words or leave it out"),
        (["red", None], "text 1 is NoneType, not a string; give strings alone"),
        (None, "texts are a NoneType; give a string or a list of strings"),
        (3, "texts are a int; give a string or a list of strings"),
    ],
)
def test_a_text_that_is_none_is_refused_with_the_cure(texts, message, encoder):
    with pytest.raises(InputError, match=message):
        encoder.encode_texts(texts)


@pytest.mark.parametrize("long_text", ["truncate", "mean", "max"])
def test_ten_thousand_words_are_encoded(long_text, encoder):
    text = "red circle " * 5000

    features = encoder.encode_texts([text, "red circle"], long_text=long_text)

    assert features.vectors.shape == (2, encoder.dim)
    assert bool(features.dropped[0]) == (long_text == "truncate")


# models


def test_a_model_that_disappears_between_listing_and_loading_is_named(own):
    info = read_checkpoint(own)
    shutil.rmtree(own)

    with pytest.raises(CheckpointError, match=r"model.safetensors: it is gone.*look for the models again"):
        load(info)


def test_a_model_that_does_not_fit_says_what_it_needs():
    info = replace(read_checkpoint(shapes_demo_path()), parameters=10**15)

    with pytest.raises(LimitError, match=r"does not fit: it needs .* GiB and cpu has .*; choose dtype='fp16'"):
        load(info)


def test_a_wrong_pair_is_refused_with_both_spaces():
    demo = read_checkpoint(shapes_demo_path())
    other = replace(demo, path=demo.path.parent / "other", space="another")

    with pytest.raises(SpaceError, match=r"space another.*cannot be put together"):
        load(demo, text_encoder=other, trust_space=True)


def test_a_whole_path_that_leads_nowhere_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone.safetensors: there is no such file or folder; check the spelling"):
        load(str(tmp_path / "gone.safetensors"))


def test_a_model_without_a_name_is_refused():
    with pytest.raises(InputError, match="the model has no name; give a path, or a name"):
        load("")


@pytest.mark.parametrize("bytes_", [0, -1])
def test_a_budget_of_nothing_is_refused(bytes_):
    with pytest.raises(InputError, match=f"budget_bytes is {bytes_}; give at least 1"):
        load(budget_bytes=bytes_)


def test_what_a_model_cannot_give_is_refused_with_the_cure(encoder):
    with pytest.raises(InputError, match="wants names 'depth'; choose from embeds"):
        encoder.encode_images(GREEN, wants="depth")
    with pytest.raises(InputError, match="last_hidden was not asked for; add 'last_hidden' to wants"):
        encoder.encode_images(GREEN).require("last_hidden")


def test_one_path_of_a_tokenizer_in_two_strings_is_one_encoder(own):
    held = EncoderCache()
    paths = [f"{own}", "".join(str(own))]

    first, second = (load_encoder(own, device="cpu", encoders=held, tokenizer=path) for path in paths)

    assert first is second
