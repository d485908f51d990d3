"""Tests: IMAGE tensors of every kind become arrays, and pages become floats."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.errors import InputError
from clip_grid.nodes.sockets.tensors import page_floats, picture_arrays


def test_batches_and_lists_are_flattened_in_order(tensor):
    first, second = np.zeros((2, 4, 6, 3), np.float32), np.ones((8, 2, 3), np.float32)

    pictures = picture_arrays([tensor(first), [tensor(second)]])

    assert [picture.shape for picture in pictures] == [(4, 6, 3), (4, 6, 3), (8, 2, 3)]


def test_float32_is_not_copied(tensor):
    values = np.zeros((1, 4, 6, 3), np.float32)

    assert np.shares_memory(picture_arrays(tensor(values))[0], values)


def test_float16_stays_float16(tensor):
    half = tensor(np.zeros((1, 4, 6, 3), np.float16), "torch.float16")

    assert picture_arrays([half])[0].dtype == np.float16
    assert half.conversions == 0


def test_a_type_that_numpy_lacks_goes_through_float32(tensor):
    pictures = picture_arrays([tensor(np.full((1, 4, 6, 3), 0.5), "torch.bfloat16")])

    assert pictures[0].dtype == np.float32


@pytest.mark.parametrize("empty", [[], [[]], "empty batch"])
def test_an_empty_batch_is_refused(tensor, empty):
    images = tensor(np.zeros((0, 4, 6, 3), np.float32)) if empty == "empty batch" else empty

    with pytest.raises(InputError, match="no picture"):
        picture_arrays(images)


@pytest.mark.parametrize("wrong", [None, "text", {"samples": 1}])
def test_a_value_that_is_no_image_is_refused_by_its_type(wrong):
    with pytest.raises(InputError, match=type(wrong).__name__):
        picture_arrays([wrong])


def test_five_dimensions_are_refused_with_the_shape(tensor):
    with pytest.raises(InputError, match=r"\(1, 1, 4, 6, 3\)"):
        picture_arrays(tensor(np.zeros((1, 1, 4, 6, 3), np.float32)))


def test_a_page_becomes_floats_from_0_to_1_with_a_batch_of_one():
    page = np.array([[[0, 51, 255]]], np.uint8)

    floats = page_floats(page)

    assert floats.shape == (1, 1, 1, 3) and floats.dtype == np.float32
    assert floats.ravel().tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_real_torch_tensors_are_read():
    torch = pytest.importorskip("torch", reason="torch is not installed; stand-ins are tested above")
    half, bf16 = torch.zeros(2, 4, 6, 3).half(), torch.ones(1, 4, 6, 4).bfloat16()

    pictures = picture_arrays([half, bf16.requires_grad_()])

    assert [(p.shape, str(p.dtype)) for p in pictures] == [
        ((4, 6, 3), "float16"), ((4, 6, 3), "float16"), ((4, 6, 4), "float32")
    ]  # fmt: skip
