"""Pictures are prepared as preprocessor_config.json and open_clip's preprocess_cfg say, or the model is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.preparing.preprocessing import prepare, preprocessing_of
from PIL import Image

from .safetensors_files import write_sparse
from .tensor_names import Text, Vision, hf_clip, hf_siglip

SQUARE = {"height": 32, "width": 32}
SHORT = {"shortest_edge": 32}
CLIP = {"image_processor_type": "CLIPImageProcessor", "crop_size": SQUARE, "size": SHORT}
SIGLIP = {"image_processor_type": "SiglipImageProcessor", "size": SQUARE}
VIT = {"image_processor_type": "ViTImageProcessor"}
BIT = {"image_processor_type": "BitImageProcessor", "crop_size": SQUARE, "size": {"shortest_edge": 36}}
CASES = {
    "short side and crop": CLIP,
    "numbers": CLIP | {"size": 32, "crop_size": 32},
    "a short side beyond the crop": CLIP | {"size": {"shortest_edge": 40}},
    "a number beyond the crop": CLIP | {"size": 40, "crop_size": 32},
    "a square and a crop": CLIP | {"size": SQUARE},
    "a larger square and a crop": CLIP | {"size": {"height": 40, "width": 40}},
    "a square alone": CLIP | {"size": SQUARE, "do_center_crop": False},
    "a list": VIT | {"size": [32, 32]},
    "the number of a square": VIT | {"size": 32},
    "no normalisation": CLIP | {"do_normalize": False},
    "no rescaling": CLIP | {"do_rescale": False},
    "another factor": CLIP | {"rescale_factor": 1 / 127.5},
    "another factor without normalisation": CLIP | {"rescale_factor": 1 / 127.5, "do_normalize": False},
    "neither": CLIP | {"do_rescale": False, "do_normalize": False},
    "SigLIP": SIGLIP,
    "DINO's": BIT,
    "other colors": CLIP | {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
    **{f"crop, filter {number}": CLIP | {"size": {"shortest_edge": 36}, "resample": number} for number in range(6)},
    **{f"squash, filter {number}": SIGLIP | {"resample": number} for number in range(6)},
}


def read(folder: Path, preprocessor: object, name: str = "preprocessor_config.json", **given: object) -> CheckpointInfo:
    """A small CLIP for pictures of 32 px with this config beside it; or a SigLIP for one of SigLIP's."""
    is_siglip = "Siglip" in str(preprocessor)
    text = Text(32, 2, 64, 16, 99)
    clip, siglip = Vision(32, 2, 64, 8, 17), Vision(32, 2, 64, 8, 16)
    shapes = hf_siglip(siglip, text) if is_siglip else hf_clip(clip, text, 24)
    path = write_sparse(folder / "model.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})
    (folder / name).write_text(json.dumps(preprocessor))
    return read_checkpoint(path, **given)


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = ((80, 50), (50, 80), (32, 32), (47, 33), (90, 200), (20, 30))
    return [Image.fromarray(rng.integers(0, 256, (10, 8, 3), np.uint8)).resize(size, 3) for size in sizes]


@pytest.mark.parametrize("case", CASES)
def test_the_pixels_are_those_of_the_processor_of_transformers(case: str, tmp_path: Path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from clip_grid.clip_backend.preparing.preprocessing import normalised

    settings = dict(CASES[case])
    info = read(tmp_path, settings)
    assert not info.problem and not info.notes
    name = settings.pop("image_processor_type")
    # which is Pillow's own in transformers 5, and the only one in 4
    theirs = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    processor = theirs(**settings)
    preprocessing = preprocessing_of(info, reference="hf")
    for picture in pictures():
        wanted = torch.as_tensor(np.array(processor(picture, return_tensors="np")["pixel_values"][0])).float()

        ours = normalised([prepare(picture, preprocessing)], preprocessing, "cpu")[0]

        # in levels of 0..255
        scale = 255 * torch.tensor(preprocessing.std).view(3, 1, 1)
        assert float(((ours - wanted) * scale).abs().max()) < 1e-3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"do_center_crop": False}, "resizes the short side to 32 px without a crop"),
        ({"size": 32, "do_center_crop": False}, "resizes the short side to 32 px without a crop"),
        ({"size": {"height": 32, "width": 64}, "do_center_crop": False}, "only squares are taken"),
        ({"crop_size": {"height": 32, "width": 24}}, "only squares are taken"),
        ({"size": {"longest_edge": 32}, "do_center_crop": False}, "makes no square"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "makes no square"),
        ({"do_resize": False}, "says do_resize false"),
        ({"size": 20}, "crops pictures of 20 px to 32 px"),
        ({"size": 48, "crop_size": 48}, "squares of 48 px where the model takes 32 px"),
        ({"size": "big"}, "says size 'big', which is no size"),
        ({"size": {"shortest_edge": True}}, "which is no size"),
        ({"resample": 9}, "interpolation is 9; give one of nearest"),
        ({"do_pad": True}, "says do_pad, which is not done here"),
        ({"image_std": [0, 1, 1]}, "give three numbers above 0"),
        ({"image_mean": 0.5}, "give three numbers"),
        ({"rescale_factor": 0}, "says rescale_factor 0"),
    ],
)
def test_what_cannot_be_obeyed_refuses_the_model_with_the_cure(changes: dict[str, object], reason: str, tmp_path: Path):
    problem = read(tmp_path, CLIP | changes).problem

    assert problem.startswith("preprocessor_config.json") and reason in problem
    assert any(cure in problem for cure in ("correct", "give", "set it to false"))


def test_a_size_for_siglip_that_is_one_number_is_refused_as_transformers_makes_no_square_of_it(tmp_path: Path):
    assert "without a crop" in read(tmp_path, SIGLIP | {"size": 32}).problem


@pytest.mark.parametrize(("most", "side"), [(64, 64), (16, 32)])
def test_naflex_takes_as_many_patches_as_its_config_says(most: int, side: int, tmp_path: Path):
    shapes = hf_siglip(Vision(32, 2, 64, 8, 256), Text(32, 2, 64, 64, 256_000), naflex=True)
    path = write_sparse(tmp_path / "model.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})
    flexible = {"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": most, "patch_size": 8}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(flexible))

    info = read_checkpoint(path)

    assert not info.problem and not info.notes
    assert info.vision and info.vision.image_size == side
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(flexible | {"max_num_patches": most - 1}))
    assert f"says max_num_patches {most - 1}, and only square numbers" in read_checkpoint(path).problem


def test_a_fit_that_is_given_goes_before_a_size_that_cannot_be_obeyed(tmp_path: Path):
    info = read(tmp_path, CLIP | {"size": {"height": 32, "width": 64}, "do_center_crop": False}, fit="squash")

    assert not info.problem
    assert (info.fit, info.short_side) == ("squash", None)


def test_the_short_side_of_the_file_is_not_taken_to_a_fit_that_is_given(tmp_path: Path):
    info = read(tmp_path, CLIP | {"size": {"shortest_edge": 40}})

    assert (info.fit, info.short_side) == ("crop", 40)
    assert preprocessing_of(info).short_side == 40
    assert preprocessing_of(info, fit="squash").short_side is None
    assert read_checkpoint(info.path, fit="squash").short_side is None


def test_what_a_file_without_class_leaves_out_is_not_stated(tmp_path: Path):
    info = read(tmp_path, {"image_mean": [0.5, 0.5, 0.5]})

    assert info.sources["mean"] == "config"
    assert {"std", "fit", "interpolation"} <= set(info.unknown)


def test_the_config_that_a_processor_of_transformers_5_writes_is_read(tmp_path: Path):
    nested = {"processor_class": "CLIPProcessor", "image_processor": CLIP | {"resample": 2}}

    info = read(tmp_path, nested, "processor_config.json")

    assert (info.interpolation, info.sources["interpolation"]) == ("bilinear", "config")


OPEN_CLIP = {
    "embed_dim": 24, "text_cfg": {"width": 32, "layers": 2, "heads": 4, "context_length": 16, "vocab_size": 99},
    "vision_cfg": {"width": 32, "layers": 2, "patch_size": 8, "image_size": 32, "head_width": 8},
}  # fmt: skip


def with_pictures(folder: Path, **preprocess: object) -> CheckpointInfo:
    return read(folder, {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess}, "open_clip_config.json")


def test_the_pictures_of_open_clip_are_prepared_as_its_config_says(tmp_path: Path):
    info = with_pictures(
        tmp_path, size=[32, 32], mean=0.5, std=[0.1, 0.2, 0.3], resize_mode="longest", fill_color=127,
        interpolation="random",
    )  # fmt: skip

    assert (info.mean, info.std, info.fit) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3), "pad")
    # random is bicubic outside of training
    assert (info.interpolation, info.pad_color) == ("bicubic", (127, 127, 127))
    assert preprocessing_of(info).pad_color == (127, 127, 127)


@pytest.mark.parametrize(
    ("preprocess", "reason"),
    [
        ({"size": 48}, "preprocess_cfg.size 48 where the model takes squares of 32 px"),
        ({"size": [32, 64]}, "preprocess_cfg.size [32, 64]"),
        ({"mode": "L"}, "preprocess_cfg.mode 'L'"),
        ({"resize_mode": "tile"}, "fit is 'tile'; give one of crop, squash, pad"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic'"),
    ],
)
def test_pictures_of_open_clip_that_cannot_be_prepared_refuse_the_model(
    preprocess: dict[str, object], reason: str, tmp_path: Path
):
    assert reason in with_pictures(tmp_path, **preprocess).problem
