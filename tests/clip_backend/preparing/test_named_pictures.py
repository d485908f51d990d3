"""Paths, PIL pictures, arrays, tensors, batches and generators become single pictures with names."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from clip_grid.clip_backend.preparing.pictures import NamedPicture, named_pictures
from clip_grid.decoding import buffer_bytes
from clip_grid.errors import InputError, PictureError
from PIL import Image

torch = pytest.importorskip("torch")


def shown(picture: NamedPicture) -> np.ndarray:
    """uint8 [H, W, C] of what was loaded."""
    loaded = picture.load()
    if isinstance(loaded, torch.Tensor):
        return np.round(loaded.float().numpy() * (1 if loaded.dtype == torch.uint8 else 255)).astype(np.uint8)
    return np.asarray(loaded)


def only(pictures: object) -> NamedPicture:
    (one,) = named_pictures(pictures)
    return one


@pytest.fixture
def red(tmp_path):
    path = tmp_path / "rød.png"
    Image.new("RGB", (4, 2), "red").save(path)
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "path"])
def test_a_path_is_named_after_itself(red, kind):
    picture = only(kind(red))

    assert (picture.name, picture.path) == (str(red), red)
    assert picture.held_bytes == 0
    assert (shown(picture) == (255, 0, 0)).all()


def test_a_file_that_vanished_is_reported_when_it_is_read(red):
    picture = only(red)
    red.unlink()

    with pytest.raises(PictureError, match=r"rød.png: cannot be opened \(No such file"):
        picture.load()


@pytest.mark.parametrize(
    ("shape", "size", "channels"),
    [
        ((5, 7, 3), (7, 5), 3),
        ((5, 7, 4), (7, 5), 4),
        ((5, 7, 1), (7, 5), 3),
        ((5, 7), (7, 5), 3),
        ((3, 5, 7), (7, 5), 3),
        # the last axis of an array counts
        ((3, 5, 3), (5, 3), 3),
        ((1, 1, 3), (1, 1), 3),
        ((3, 1, 1), (1, 1), 3),
        ((1, 4000, 3), (4000, 1), 3),
    ],
)
def test_arrays_are_pictures(shape, size, channels):
    loaded = only(np.zeros(shape, np.float32)).load()

    assert loaded.size == size
    assert len(loaded.getbands()) == channels


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 5, 7), (5, 7, 3)),
        ((4, 5, 7), (5, 7, 4)),
        ((1, 5, 7), (5, 7, 1)),
        ((5, 7, 3), (5, 7, 3)),
        ((5, 7, 1), (5, 7, 1)),
        ((5, 7), (5, 7, 1)),
        # 3 or 4 goes before 1
        ((3, 5, 1), (5, 1, 3)),
        ((1, 5, 3), (1, 5, 3)),
        ((1, 1, 1), (1, 1, 1)),
    ],
)
def test_tensors_are_channels_first_or_last(shape, expected):
    assert tuple(only(torch.zeros(shape)).load().shape) == expected


@pytest.mark.parametrize("shape", [(3, 5, 3), (4, 5, 3), (3, 5, 4), (1, 5, 1)])
def test_a_tensor_that_could_be_either_is_refused_with_the_way_out(shape):
    with pytest.raises(InputError, match=r"give it as a batch \[1, H, W, C\]"):
        named_pictures(torch.zeros(shape))

    assert tuple(only(torch.zeros(1, *shape)).load().shape) == shape


def test_the_values_stand_where_they_stood():
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    first = torch.from_numpy(values).permute(2, 0, 1)

    for given in (values, values[None], first, first[None], first[None].float() / 255, torch.from_numpy(values)):
        assert np.array_equal(shown(only(given)), values)


@pytest.mark.parametrize("number", ["float16", "bfloat16", "float32", "float64"])
def test_every_float_is_read(number):
    assert (shown(only(torch.ones(2, 2, 3, dtype=getattr(torch, number)))) == 255).all()


def test_mixtures_come_in_order_with_numbers(red):
    mixture = [red, (Image.new("L", (2, 3)), [np.zeros((2, 5, 6, 3), np.uint8)]), torch.zeros(2, 8, 9, 3)]

    pictures = named_pictures(mixture)

    assert pictures.total == 6
    assert [picture.name for picture in pictures] == [str(red), *(f"picture {n}" for n in (2, 3, 4, 5, 6))]
    assert [shown(picture).shape[:2] for picture in pictures] == [(2, 4), (3, 2), (5, 6), (5, 6), (8, 9), (8, 9)]


def test_a_generator_is_not_read_ahead():
    made = []

    def pictures():
        for number in range(3):
            made.append(number)
            yield Image.new("RGB", (1, 1))

    source = named_pictures(pictures())
    assert source.total is None
    next(iter(source))
    assert made == [0]


def test_nothing_is_no_picture():
    assert named_pictures([]).total == 0


def test_batches_are_not_copied():
    batch = torch.zeros(2, 4, 5, 3)

    first = next(iter(named_pictures(batch)))
    assert first.load().data_ptr() == batch.data_ptr()
    assert first.held_bytes == 4 * 5 * 3 * 4


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
class TestBadNumbers:
    @pytest.mark.parametrize(("bad", "message"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
    def test_what_is_no_number_is_refused_by_name(self, kind, bad, message):
        batch = np.zeros((3, 4, 5, 3), np.float32)
        batch[1, 2, 2, 0] = bad

        first, second, _ = named_pictures(kind(batch))
        first.load()
        with pytest.raises(PictureError, match=f"picture 2: holds {message}.*fp32"):
            second.load()

    def test_floats_to_255_are_refused_with_the_cure(self, kind):
        with pytest.raises(PictureError, match=r"up to 200, not 0..1; divide them by 255"):
            only(kind(np.full((2, 2, 3), 200, np.float32))).load()

    @pytest.mark.parametrize("what", ["-1..1", "normalised"])
    def test_floats_below_black_are_refused_with_the_cure(self, kind, what):
        picture = np.random.default_rng(0).random((9, 9, 3), np.float32)
        low = picture * 2 - 1 if what == "-1..1" else (picture - 0.45) / 0.27

        with pytest.raises(PictureError, match=r"down to -\d.*, not 0\.\.1; give value_range='-1\.\.1'.*normalisation"):
            only(kind(low)).load()

    def test_floats_of_minus_one_to_one_are_converted_where_the_caller_says_so(self, kind):
        levels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        low = levels.astype(np.float32) / 127.5 - 1

        (picture,) = named_pictures(kind(low), value_range="-1..1")

        assert np.array_equal(shown(picture), levels)

    def test_normalised_floats_are_none_of_minus_one_to_one_either(self, kind):
        normalised = (np.random.default_rng(0).random((9, 9, 3), np.float32) - 0.45) / 0.2

        (picture,) = named_pictures(kind(normalised), value_range="-1..1")
        with pytest.raises(PictureError, match=r"not -1\.\.1; undo the normalisation"):
            picture.load()

    def test_bytes_have_no_other_range(self, kind):
        levels = np.full((2, 2, 3), 200, np.uint8)

        (picture,) = named_pictures(kind(levels), value_range="-1..1")
        assert np.array_equal(shown(picture), levels)

    def test_a_resize_that_overshoots_black_is_clipped_later(self, kind):
        edges = np.random.default_rng(0).random((40, 40, 3), np.float32).round() * 1.4 - 0.2
        edges[0, 0] = -0.6

        only(kind(edges.astype(np.float32))).load()

    def test_highlights_are_clipped_later(self, kind):
        bright = np.full((9, 9, 3), 0.5, np.float32)
        bright[0, 0] = 30

        only(kind(bright)).load()

    @pytest.mark.parametrize("number", [np.int32, np.int64, np.bool_, np.complex64])
    def test_other_kinds_of_number_are_refused(self, kind, number):
        with pytest.raises(InputError, match=r"make them floats of 0..1, or uint8"):
            named_pictures(kind(np.zeros((4, 4, 3), number)))

    @pytest.mark.parametrize("shape", [(), (5,), (5, 7, 2), (2, 5, 7, 5), (1, 2, 3, 4, 3)])
    def test_other_shapes_are_refused(self, kind, shape):
        with pytest.raises(InputError, match="shape"):
            named_pictures(kind(np.zeros(shape, np.float32)))

    def test_an_empty_batch_is_refused(self, kind):
        with pytest.raises(InputError, match="empty batch"):
            named_pictures(kind(np.zeros((0, 4, 4, 3), np.float32)))

    @pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (1, 0, 5, 3), (0, 0)])
    def test_pictures_without_pixels_are_refused_when_they_are_read(self, kind, shape):
        with pytest.raises(PictureError, match=r"picture 1: .*nothing to see"):
            only(kind(np.zeros(shape, np.float32))).load()


def test_a_pil_picture_without_pixels_is_refused():
    with pytest.raises(PictureError, match="picture 1: is 0 x 5 pixels"):
        only(Image.new("RGB", (0, 5))).load()


@pytest.mark.parametrize("thing", [3, None, b"bytes", {"a": 1}, [[0.5, 0.5]]])
def test_what_is_no_picture_is_refused_by_its_type(thing):
    with pytest.raises(InputError, match=r"pictures hold a (int|NoneType|bytes|dict|float); give paths"):
        named_pictures(thing)


def test_pil_pictures_are_turned_upright_and_keep_their_transparency():
    image = Image.new("RGBA", (4, 2), (1, 2, 3, 4))
    image.getexif()[0x0112] = 6

    loaded = only(image).load()

    assert (loaded.size, loaded.mode) == ((2, 4), "RGBA")


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_one_open_file_given_many_times_is_read_by_many_threads(red, format):
    picture = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(picture).save(red, format)
    failures = []

    def read(one):
        one.memory_bytes()
        if not np.array_equal(shown(one), picture):
            failures.append(one)

    with Image.open(red) as image:
        threads = [threading.Thread(target=read, args=(one,)) for one in named_pictures([image] * 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []


#: Bytes per pixel that Pillow stores, and those of what it becomes on its way to RGB.
STORED = {"1": 1, "L": 1, "P": 1, "RGB": 4, "RGBA": 4, "CMYK": 4, "LA": 4, "YCbCr": 4, "I;16": 2, "I": 4, "F": 4}
CONVERTED = {"RGB": 0, "RGBA": 0, "I;16": 2 + 5, "I": 4 + 5, "F": 4 + 5}


@pytest.mark.parametrize("mode", STORED)
def test_the_bytes_of_decoding_are_those_of_the_mode_and_its_conversion(mode):
    image = Image.new(mode, (20, 10))

    assert only(image).memory_bytes() == 200 * (STORED[mode] + CONVERTED.get(mode, 4))
    image.getexif()[0x0112] = 6
    # the turned copy
    assert only(image).memory_bytes(3) == 200 * (STORED[mode] + CONVERTED.get(mode, 4) + 4 + 3)


@pytest.mark.parametrize(
    ("name", "how", "each"),
    [
        ("a.png", {}, 4),
        ("a.jpg", {}, 4),
        # the coefficients of three colors
        ("a.jpg", {"progressive": True}, 4 + 6),
        ("a.webp", {}, 4 + 12),
        ("a.tif", {"compression": "tiff_deflate"}, 4 + 3),
        # strips of 8 of 32 rows
        ("a.tif", {"compression": "tiff_deflate", "tiffinfo": {278: 8}, "strip_size": 8 * 64 * 3}, 4 + 0.75),
        ("grey.png", {}, 5),
    ],
)
def test_the_bytes_of_a_file_include_its_own_and_the_buffer_of_its_library(monkeypatch, tmp_path, name, how, each):
    # as if PyAV were not installed
    monkeypatch.setattr("clip_grid.png_pixels.MOST_PIXELS", 0)
    path = tmp_path / name
    Image.new("L" if name == "grey.png" else "RGB", (64, 32)).save(path, **how)
    content = only(path).read()

    assert only(path).memory_bytes() == each * 64 * 32
    assert only(path).memory_bytes(0, content) == each * 64 * 32 + path.stat().st_size


def test_a_broken_tag_of_a_tiff_costs_no_error(tmp_path):
    path = tmp_path / "a.tif"
    Image.new("RGB", (64, 32)).save(path)
    with Image.open(path) as opened:
        opened.tag_v2._tags_v2[278] = "8"
        assert buffer_bytes(opened) == 8 * 64 * 32


def test_a_jpeg_that_is_decoded_smaller_needs_the_bytes_of_the_smaller_one(tmp_path):
    for how, buffer in (({}, 0), ({"progressive": True}, 6 * 800 * 800)):
        Image.new("RGB", (800, 800)).save(tmp_path / "large.jpg", **how)

        (draft,) = named_pictures(tmp_path / "large.jpg", draft=(50, 50))

        assert draft.memory_bytes() == 4 * 100 * 100 + buffer


@pytest.mark.parametrize(("dtype", "each"), [(np.uint8, 3 + 4), (np.float32, 15 + 4), (np.float16, 15 + 4)])
def test_the_bytes_of_an_array_are_those_of_its_floats_and_its_picture(dtype, each):
    assert only(np.zeros((20, 10, 3), dtype)).memory_bytes(2) == 200 * (each + 2)


def test_what_is_no_picture_needs_no_memory_and_a_broken_file_says_why(tmp_path):
    (broken,) = named_pictures([3], strict=False)
    assert broken.memory_bytes() == 0
    with pytest.raises(PictureError, match="No such file"):
        only(tmp_path / "gone.png").memory_bytes()


def test_a_draft_is_decoded_smaller(tmp_path):
    Image.new("RGB", (800, 800)).save(tmp_path / "large.jpg")

    (draft,) = named_pictures(tmp_path / "large.jpg", draft=(50, 50))

    assert draft.load().size == (100, 100)
