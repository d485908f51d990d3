"""Preprocessing: the pixels of Pillow, transformers, open_clip and ComfyUI, for pictures of every shape and kind."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo, Interpolation, VisionShape
from clip_grid.clip_backend.preparing.preprocessing import Crop, Preprocessing, crop_of, preprocessing_of
from clip_grid.errors import InputError
from clip_grid.imaging import flattened, load_picture
from PIL import Image

torch = pytest.importorskip("torch")

from clip_grid.clip_backend.preparing.preprocessing import normalised, on_device, pixel_hash, prepare, stacked
from clip_grid.clip_backend.preparing.resize import Span, premultiplied, product_resize, unpremultiplied

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZES = [(1216, 832), (832, 1216), (683, 1024), (64, 900), (512, 512), (1, 1), (3, 7), (224, 224), (336, 336)]
FILTERS = {name: Image.Resampling[name.upper()] for name in get_args(Interpolation)}


def settings(**changes) -> Preprocessing:
    return Preprocessing(**({"size": 224, "mean": MEAN, "std": STD} | changes))


@cache
def photo(width: int, height: int) -> Image.Image:
    """Soft forms below noise, which is harder than most photographs."""
    rng = np.random.default_rng(width * 10_000 + height)
    forms = Image.fromarray(rng.integers(0, 200, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8))
    noise = rng.integers(0, 56, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(np.asarray(forms.resize((width, height), Image.Resampling.BILINEAR)) + noise)


def by_pillow(image: Image.Image, wanted: Preprocessing) -> np.ndarray:
    """As torchvision's Resize and CenterCrop do it, or transformers', written from their formulas."""
    side, (width, height) = wanted.size, image.size
    filter_ = FILTERS[wanted.interpolation]
    if wanted.fit == "squash":
        return np.asarray(image.resize((side, side), filter_))
    short, long = sorted((width, height))
    long = int(side * long / short)
    size = (side, long) if width <= height else (long, side)
    half = (lambda margin: round(margin / 2.0)) if wanted.reference == "openclip" else (lambda margin: margin // 2)
    left, top = half(size[0] - side), half(size[1] - side)
    return np.asarray(image.resize(size, filter_).crop((left, top, left + side, top + side)))


def unequal(ours: object, reference: np.ndarray) -> tuple[float, int]:
    """The part of the pixels that differ in any colour, and the largest difference in levels."""
    difference = np.abs(np.asarray(ours).astype(int) - reference)
    return float(difference.any(axis=-1).mean()), int(difference.max())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("reference", ["openclip", "hf"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("resampling", ["close", "exact"])
def test_the_pixels_are_pillows(size, reference, interpolation, fit, resampling):
    image = photo(*size)
    wanted = settings(reference=reference, interpolation=interpolation, fit=fit, resampling=resampling)

    assert np.array_equal(prepare(image, wanted), by_pillow(image, wanted))


@pytest.mark.parametrize("side", [224, 336, 384])
@pytest.mark.parametrize("source", [64, 112, 160, 256, 336, 448, 504, 576, 640, 768])
def test_ratios_with_many_exact_halves_are_pillows_too(side, source):
    image = photo(source, source)

    assert np.array_equal(prepare(image, settings(size=side)), by_pillow(image, settings(size=side)))


@pytest.mark.parametrize("size", [(1216, 832), (489, 1009), (64, 900), (336, 336), (3, 7), (1, 1)], ids=str)
@pytest.mark.parametrize("interpolation", FILTERS)
def test_what_a_device_computes_equals_pillow_exactly(size, interpolation):
    image = photo(*size)
    crop = crop_of(size, settings())
    spans = [
        Span(source, resized, start, start + 224)
        for source, resized, start in zip(size, crop.resized, (crop.left, crop.top), strict=True)
    ]

    computed = product_resize(torch.from_numpy(np.array(image)), *spans, interpolation)

    assert np.array_equal(computed, by_pillow(image, settings(interpolation=interpolation)))


@pytest.mark.parametrize("interpolation", ["nearest", "lanczos", "box", "hamming"])
@pytest.mark.parametrize("changes", [{}, {"resampling": "fast"}, {"fit": "squash"}, {"size": 20}], ids=str)
def test_filters_that_torch_lacks_are_pillows_everywhere(interpolation, changes):
    wanted = settings(interpolation=interpolation, **changes)
    for size in ((300, 200), (64, 900), (120, 120)):
        assert np.array_equal(prepare(photo(*size), wanted), by_pillow(photo(*size), wanted))


@pytest.mark.parametrize("interpolation", ["nearest", "lanczos", "box", "hamming"])
def test_filters_that_torch_lacks_are_pillows_to_a_level_with_the_rounding_of_comfyui(interpolation):
    ours = prepare(photo(300, 300), settings(interpolation=interpolation, reference="comfy"))

    # 300 px to 224 px without a margin, so that rounding alone differs
    assert unequal(ours, by_pillow(photo(300, 300), settings(interpolation=interpolation)))[1] <= 1


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("reference", ["openclip", "hf"])
def test_a_square_may_be_larger_than_the_crop(side, reference):
    wanted = settings(size=side, short_side=40, fit="squash", reference=reference)
    whole = photo(90, 50).resize((40, 40), Image.Resampling.BICUBIC)
    margin = round((40 - side) / 2) if reference == "openclip" else (40 - side) // 2

    ours = prepare(photo(90, 50), wanted)

    assert np.array_equal(ours, np.asarray(whole.crop((margin, margin, margin + side, margin + side))))


@pytest.mark.parametrize("size", [(500, 777), (624, 1019), (300, 4000), (489, 1009), (64, 900)], ids=str)
@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_tall_pictures_have_the_pixels_of_pillow_too(size, fit):
    # since 13.0 Pillow filters down first where the height loses more than twice what the width loses
    image = photo(*size)

    assert np.array_equal(prepare(image, settings(fit=fit)), by_pillow(image, settings(fit=fit)))


@pytest.mark.parametrize("size", [(512, 512), (1216, 832), (64, 900)], ids=str)
def test_fast_resampling_is_a_level_or_two_off_in_few_pixels(size):
    share, levels = unequal(prepare(photo(*size), settings(resampling="fast")), by_pillow(photo(*size), settings()))

    assert share < 0.04
    assert levels <= 2


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1)], ids=str)
@pytest.mark.parametrize("resampling", ["close", "exact", "fast"])
@pytest.mark.parametrize("reference", ["openclip", "comfy"])
def test_a_line_is_encoded_without_growing_it_to_its_full_length(size, resampling, reference):
    # the square shows 224 of 896,000 rows: the step in the middle
    line = np.zeros((4000, 3), np.uint8)
    line[1999:2001] = [[60], [160]]
    image = Image.fromarray(line.reshape(size[1], size[0], 3))

    square = np.asarray(prepare(image, settings(resampling=resampling, reference=reference)))

    assert square.shape == (224, 224, 3)
    assert square.min() >= 55
    assert square.max() <= 165
    # the cubic halfway between 60 and 160 that are among zeros: (9 * 60 + 9 * 160) / 16
    assert abs(square[111:113, 111:113].mean() - 123.75) < 1


def test_a_single_pixel_fills_the_square():
    image = Image.new("RGB", (1, 1), (10, 200, 30))

    assert (prepare(image, settings()) == torch.tensor([10, 200, 30])).all()


def test_a_picture_of_the_wanted_size_is_left_alone():
    assert np.array_equal(prepare(photo(224, 224), settings()), np.asarray(photo(224, 224)))


@pytest.mark.parametrize(
    ("size", "reference", "expected"),
    [
        # 224 * 1216 / 832 = 327.4; the margin of 103 is halved to 51.5
        ((1216, 832), "openclip", Crop((327, 224), 52, 0)),
        ((1216, 832), "hf", Crop((327, 224), 51, 0)),
        ((1216, 832), "comfy", Crop((327, 224), 51, 0)),
        # 224 * 1024 / 683 = 335.8
        ((683, 1024), "openclip", Crop((224, 335), 0, 56)),
        ((683, 1024), "hf", Crop((224, 335), 0, 55)),
        ((683, 1024), "comfy", Crop((224, 336), 0, 56)),
        ((64, 900), "openclip", Crop((224, 3150), 0, 1463)),
        ((1, 1), "hf", Crop((224, 224), 0, 0)),
    ],
)
def test_each_reference_has_its_own_rounding(size, reference, expected):
    assert crop_of(size, settings(reference=reference)) == expected


@pytest.mark.parametrize(
    ("fit", "golden"),
    [
        # by open_clip 3.3.0 and torchvision 0.28
        (
            "crop",
            [
                (38, 3, 0),
                (91, 3, 255),
                (144, 3, 161),
                (196, 3, 0),
                (38, 80, 255),
                (91, 80, 0),
                (144, 80, 92),
                (196, 80, 255),
                (38, 158, 0),
                (91, 158, 255),
                (144, 158, 164),
                (196, 158, 0),
                (38, 236, 207),
                (91, 236, 48),
                (144, 236, 107),
                (196, 236, 207),
            ],
        ),
        (
            "squash",
            [
                (3, 3, 0),
                (78, 3, 107),
                (154, 3, 255),
                (230, 3, 0),
                (3, 80, 255),
                (78, 80, 149),
                (154, 80, 0),
                (230, 80, 255),
                (3, 158, 0),
                (78, 158, 105),
                (154, 158, 255),
                (230, 158, 0),
                (3, 236, 207),
                (78, 236, 140),
                (154, 236, 48),
                (230, 236, 207),
            ],
        ),
    ],
)
def test_every_tenth_pixel_is_as_open_clip_made_it(fit, golden):
    x, y = np.meshgrid(np.arange(121), np.arange(83))
    image = Image.fromarray(np.stack([x * 2, y * 3, (x // 8 + y // 8) % 2 * 255], -1).astype(np.uint8))

    made = prepare(image, settings(size=32, fit=fit))[::10, ::10].reshape(-1, 3)

    assert np.abs(made.numpy().astype(int) - golden).max() <= 1


def test_padding_keeps_the_whole_picture_in_the_middle():
    square = np.asarray(
        prepare(Image.new("RGB", (400, 200), "white"), settings(fit="pad", size=8, pad_color=(1, 2, 3)))
    )

    # 8 wide and 4 high, with two rows above and two below
    assert (square[2:6] == 255).all()
    assert (square[[0, 1, 6, 7]] == (1, 2, 3)).all()


def test_a_short_side_is_resized_before_the_crop():
    wanted = settings(short_side=256, resampling="exact")
    image = photo(512, 512)

    expected = image.resize((256, 256), Image.Resampling.BICUBIC).crop((16, 16, 240, 240))
    assert np.array_equal(prepare(image, wanted), np.asarray(expected))


def test_transparency_is_dropped_unless_a_background_is_given():
    image = Image.new("RGBA", (4, 4), (200, 100, 50, 0))

    assert (prepare(image, settings(size=4)) == torch.tensor([200, 100, 50])).all()
    assert (prepare(image, settings(size=4, background=(255, 255, 255))) == 255).all()


@pytest.mark.parametrize("device_path", [False, True])
def test_tensors_are_laid_on_the_background_too(device_path):
    tensor = torch.tensor([1.0, 0.0, 0.0, 0.5]).expand(4, 4, 4)
    wanted = settings(size=4, background=(0, 0, 255), reference="comfy" if device_path else "openclip")

    assert np.abs(np.asarray(prepare(tensor, wanted)).astype(int) - (128, 0, 128)).max() <= 1


def transparent(width: int, height: int) -> Image.Image:
    """A photo whose upper third is fully transparent, then half of it opaque, then of any opacity."""
    image = photo(width, height)
    alpha = np.random.default_rng(5).integers(0, 256, (height, width), dtype=np.uint8)
    alpha[: height // 3], alpha[height // 3 : height // 2] = 0, 255
    image = image.copy()
    image.putalpha(Image.fromarray(alpha))
    return image


def by_open_clip(image: Image.Image, wanted: Preprocessing) -> np.ndarray:
    """As open_clip's transform treats RGBA: Pillow resizes, weighting by alpha, then alpha is dropped."""
    crop = crop_of(image.size, wanted)
    resized = image if image.size == crop.resized else image.resize(crop.resized, FILTERS[wanted.interpolation])
    box = (crop.left, crop.top, crop.left + wanted.size, crop.top + wanted.size)
    return np.asarray(resized.crop(box).convert("RGB"))


@pytest.mark.parametrize("size", [(400, 300), (224, 224), (64, 900), (70, 100)], ids=str)
@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_transparent_pixels_are_resized_as_open_clip_does(size, fit, interpolation):
    image = transparent(*size)
    wanted = settings(fit=fit, interpolation=interpolation)

    assert np.array_equal(prepare(image, wanted), by_open_clip(image, wanted))
    as_tensor = torch.from_numpy(np.array(image)).float() / 255
    assert np.array_equal(prepare(as_tensor, wanted), by_open_clip(image, wanted))


@pytest.mark.parametrize("size", [(400, 300), (64, 900)], ids=str)
def test_what_a_device_does_with_transparency_equals_pillow_exactly(size):
    image = transparent(*size)
    levels = torch.from_numpy(np.array(image))
    # every colour with every opacity
    ramp = torch.stack(torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij"), 2).byte()
    ramp = ramp[:, :, [0, 0, 0, 1]]

    wanted = image.convert("RGBa").resize((90, 80), Image.Resampling.BICUBIC)
    made = product_resize(premultiplied(levels), Span(size[0], 90, 0, 90), Span(size[1], 80, 0, 80), "bicubic")

    assert np.array_equal(made, wanted)
    assert np.array_equal(unpremultiplied(made), wanted.convert("RGBA").convert("RGB"))
    whole = Image.fromarray(ramp.numpy(), "RGBA").convert("RGBa")
    assert np.array_equal(premultiplied(ramp), whole)
    assert np.array_equal(
        unpremultiplied(ramp),
        Image.frombytes("RGBa", (256, 256), ramp.numpy().tobytes()).convert("RGBA").convert("RGB"),
    )


@pytest.mark.parametrize("reference", ["hf", "comfy"])
def test_transformers_and_comfyui_drop_transparency_before_they_resize(reference):
    image = transparent(400, 300)
    wanted = settings(reference=reference)

    assert torch.equal(prepare(image, wanted), prepare(image.convert("RGB"), wanted))


def test_the_colour_below_transparent_pixels_does_not_bleed_into_a_chosen_background():
    image = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 200, 400))

    seen = prepare(image, settings(background=(255, 255, 255))).int()

    # only blends of blue and white, no red
    assert (seen[..., 0] == seen[..., 1]).all() and seen[0, 0].tolist() == [0, 0, 255]
    assert seen[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("name", "level"), [("white", 255), ("grey", 128), ("black", 0)])
def test_a_background_has_a_name_or_levels(name, level):
    assert preprocessing_of(info(), background=name).background == (level,) * 3
    assert preprocessing_of(info(), background=(1, 2, 3)).background == (1, 2, 3)
    assert preprocessing_of(info(), background="reference").background is None
    with pytest.raises(InputError, match="background is 'red'; it must be one of reference, white, grey, black"):
        preprocessing_of(info(), background="red")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "RGBA"])
def test_every_mode_of_colour_is_prepared_as_its_rgb(mode):
    image = photo(64, 48).convert(mode)

    expected = by_pillow(image.convert("RGB"), settings())
    assert np.array_equal(prepare(image, settings()), expected)


def test_sixteen_bits_are_scaled_not_cut():
    deep = Image.fromarray(np.full((9, 9), 0x8080, np.uint16))

    assert (prepare(deep, settings()) == 0x80).all()


def test_a_turned_photograph_is_seen_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = photo(80, 40)
    image.save(tmp_path / "turned.png", exif=exif)

    seen = prepare(load_picture(tmp_path / "turned.png"), settings())
    assert np.array_equal(seen, by_pillow(image.transpose(Image.Transpose.ROTATE_270), settings()))


def test_floats_are_rounded_to_8_bits_and_clipped():
    tensor = torch.tensor([0.9999, -3.0, 7.0]).expand(2, 2, 3)

    # 254.97 is not cut to 254
    assert (prepare(tensor, settings(size=2)) == torch.tensor([255, 0, 255])).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_a_picture_without_pixels_is_refused(shape):
    with pytest.raises(InputError, match="nothing to see"):
        prepare(torch.zeros(*shape, 3), settings())
    with pytest.raises(InputError, match="nothing to see"):
        prepare(Image.new("RGB", shape), settings())


def core_preprocess(image, size):
    """What ComfyUI does to floats [1, H, W, 3], up to the rounding; written from its formulas."""
    image = image.movedim(-1, 1)
    scale = size / min(image.shape[2:])
    target = round(scale * image.shape[2]), round(scale * image.shape[3])
    image = torch.nn.functional.interpolate(image, size=target, mode="bicubic", antialias=True)
    top, left = (image.shape[2] - size) // 2, (image.shape[3] - size) // 2
    image = image[:, :, top : top + size, left : left + size]
    return torch.clip(255.0 * image, 0, 255).round()[0].movedim(0, -1)


@pytest.mark.parametrize("size", [(1216, 832), (683, 1024), (64, 900), (512, 512)], ids=str)
def test_comfyuis_floats_give_comfyuis_pixels(size):
    floats = torch.rand(1, size[1], size[0], 3, generator=torch.Generator().manual_seed(1))

    ours = prepare(floats[0], settings(reference="comfy"))

    assert torch.equal(ours.float(), core_preprocess(floats, 224))


def test_normalising_is_the_textbook_formula():
    pixels = torch.from_numpy(np.array(photo(8, 8)))[None]

    ours = normalised(pixels, settings(size=8), "cpu")

    expected = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert ours.dtype == torch.float32
    assert ours.is_contiguous()
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


def test_a_list_of_prepared_pictures_is_one_batch():
    one = prepare(photo(8, 8), settings(size=8))

    whole = normalised(torch.stack([one, one]), settings(), "cpu")
    assert torch.equal(normalised([one, one], settings(size=8), "cpu"), whole)
    with pytest.raises(InputError, match="no picture"):
        normalised([], settings(), "cpu")


class Recorded:
    """What is done to tensors that go to a CUDA device, on a machine that has none."""

    def __init__(self, monkeypatch):
        self.done = []
        true_to = torch.Tensor.to

        def to(tensor, *args, **options):
            if args and getattr(args[0], "type", "") == "cuda":
                self.done.append(("to", tuple(tensor.shape), tensor.dtype, options))
                return tensor
            return true_to(tensor, *args, **options)

        def pin(tensor):
            self.done.append(("pin", tuple(tensor.shape), tensor.dtype, {}))
            return tensor

        monkeypatch.setattr(torch.Tensor, "to", to)
        monkeypatch.setattr(torch.Tensor, "pin_memory", pin)


def test_a_batch_goes_to_a_cuda_device_stacked_pinned_and_in_one_copy(monkeypatch):
    pictures = [prepare(photo(60, 50), settings(size=8)) for _ in range(5)]
    recorded = Recorded(monkeypatch)

    batch = stacked(pictures, torch.device("cuda"))

    assert recorded.done == [
        ("pin", (5, 8, 8, 3), torch.uint8, {}),
        ("to", (5, 8, 8, 3), torch.uint8, {"non_blocking": True}),
    ]
    assert torch.equal(batch, torch.stack(pictures))


def test_nothing_is_pinned_for_other_devices_and_no_batch_for_the_cpu_copied_twice(monkeypatch):
    pictures = [torch.zeros(8, 8, 3, dtype=torch.uint8)] * 3
    recorded = Recorded(monkeypatch)

    assert stacked(pictures, torch.device("meta")).device.type == "meta"
    batch = stacked(pictures, torch.device("cpu"))
    assert on_device(batch, torch.device("cpu")) is batch
    assert recorded.done == []


def test_pictures_that_are_on_a_device_already_are_stacked_there():
    there = [torch.zeros(8, 8, 3, dtype=torch.uint8, device="meta"), torch.zeros(8, 8, 3, dtype=torch.uint8)]

    assert stacked(there, torch.device("meta")).device.type == "meta"


def test_the_pixels_do_not_depend_on_how_a_caller_lets_torch_round_products(monkeypatch):
    line = torch.rand(30, 9000, 3, generator=torch.Generator().manual_seed(0))
    levels = (255 * line).byte()
    wanted = settings(size=64, reference="comfy")
    span = Span(9000, 500, 0, 64), Span(30, 64, 0, 64)
    exact, product = prepare(line, wanted), product_resize(levels, *span, "bicubic")
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            again, product_again = prepare(line, wanted), product_resize(levels, *span, "bicubic")
    finally:
        torch.set_float32_matmul_precision(before)

    assert torch.equal(again, exact) and torch.equal(product_again, product)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_pictures_in_16_bits_are_resized_in_32(dtype):
    floats = torch.rand(90, 70, 3, generator=torch.Generator().manual_seed(0)).to(dtype)

    for reference in ("comfy", "openclip"):
        wanted = settings(size=32, reference=reference)
        assert torch.equal(prepare(floats, wanted), prepare(floats.float(), wanted))


def test_the_hash_tells_contents_apart():
    one, other = prepare(photo(8, 8), settings(size=8)), prepare(photo(9, 8), settings(size=8))

    assert pixel_hash(one) == pixel_hash(one.clone())
    assert pixel_hash(one) != pixel_hash(other)
    assert pixel_hash(one).startswith("sha256:")


def test_the_key_differs_between_settings_and_is_stable():
    # embeddings on disk are found by it
    assert settings(size=2, mean=(0.0, 0.5, 1.0), std=(1.0, 1.0, 1.0)).key == (
        "size=2; mean=(0.0, 0.5, 1.0); std=(1.0, 1.0, 1.0); fit='crop'; interpolation='bicubic'; "
        "reference='openclip'; resampling='close'; short_side=None; background=None; pad_color=(0, 0, 0); "
        "value_range='0..1'"
    )
    others = [settings(), settings(fit="pad"), settings(size=336), settings(mean=(0.5, 0.5, 0.5))]
    assert len({one.key for one in others}) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fit": "stretch"}, "choose one of crop, squash, pad"),
        ({"size": 0}, "size"),
        ({"short_side": 100}, "short_side"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"pad_color": (0, 0, 256)}, "levels"),
        ({"value_range": "0..255"}, r"choose one of 0\.\.1, -1\.\.1"),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        settings(**changes)


def info(**changes) -> CheckpointInfo:
    vision = VisionShape(width=64, layers=2, heads=2, mlp=128, patch=16, tokens=197, image_size=224)
    given = {"path": Path("m"), "files": (), "layout": "hf-clip", "family": "clip", "vision": vision} | changes
    return CheckpointInfo(**given)


def test_the_preprocessing_of_a_model_is_its_files_with_the_callers_changes():
    own = preprocessing_of(info(fit="squash", interpolation="bilinear", mean=(0.5, 0.5, 0.5)), reference="hf")

    assert (own.size, own.fit, own.interpolation, own.reference) == (224, "squash", "bilinear", "hf")
    assert own.mean == (0.5, 0.5, 0.5)


def test_preprocessing_needs_a_vision_tower_and_known_fields():
    with pytest.raises(InputError, match="no vision tower"):
        preprocessing_of(info(vision=None))
    with pytest.raises(InputError, match="has no crop_size; it has size"):
        preprocessing_of(info(), crop_size=3)


def processor_by_pillow(name):
    """The processor of transformers that resizes by Pillow: since 5.0 it has a name of its own."""
    transformers = pytest.importorskip("transformers")
    return (getattr(transformers, f"{name}Pil", None) or getattr(transformers, name))()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_transformers_clip_processor_sees_the_same(size):
    processor = processor_by_pillow("CLIPImageProcessor")
    image = photo(*size)
    wanted = settings(reference="hf")

    theirs = torch.from_numpy(
        np.asarray(processor(image, return_tensors="np", input_data_format="channels_last")["pixel_values"])
    )
    ours = normalised([prepare(image, wanted)], wanted, "cpu")

    # a level is 0.0146 and more
    levels = ((ours - theirs).abs() * 255 * 0.2613).round()
    assert levels.max() <= 1
    assert (levels.amax(1) > 0).float().mean() <= 0.001


@pytest.mark.parametrize("size", SIZES[:5], ids=str)
def test_transformers_siglip_processor_sees_the_same(size):
    processor = processor_by_pillow("SiglipImageProcessor")
    wanted = settings(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), fit="squash", reference="hf")

    theirs = torch.from_numpy(np.asarray(processor(photo(*size), return_tensors="np")["pixel_values"]))
    ours = normalised([prepare(photo(*size), wanted)], wanted, "cpu")

    levels = ((ours - theirs).abs() * 127.5).round()
    assert levels.max() <= 1
    assert (levels.amax(1) > 0).float().mean() <= 0.001


def test_flattening_leaves_opaque_pictures_alone():
    image = photo(5, 5)

    assert flattened(image, (1, 2, 3)) is image
