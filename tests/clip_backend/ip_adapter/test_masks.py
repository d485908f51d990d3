"""Masks on token grids: the grid of every size, areas, halves, and masks that are refused."""

from __future__ import annotations

import random

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.masks import clip_area, read_mask, stretch_note, token_grid, token_weights
from clip_grid.errors import InputError


def test_the_grid_of_a_thousand_random_sizes_is_the_one_that_a_unet_makes():
    draw = random.Random(1)
    for _ in range(1000):
        size = draw.randrange(64, 2049, 8) // 8, draw.randrange(64, 2049, 8) // 8
        rows, columns = size
        for _ in range(4):
            assert token_grid(size, rows * columns) == (rows, columns)
            # a convolution of stride 2 with a border of 1
            rows, columns = (rows + 1) // 2, (columns + 1) // 2


def test_a_size_that_something_else_changed_is_found_by_its_shape():
    assert token_grid((64, 96), 20 * 30) == (20, 30)


def test_tokens_that_are_no_grid_of_the_picture_are_refused():
    with pytest.raises(InputError, match="no grid of a picture of 64 x 96 latent cells"):
        token_grid((64, 96), 601)


def test_each_token_has_the_mean_of_the_mask_under_it():
    mask = torch.zeros(1, 8, 8)
    mask[:, :, :2] = 1

    assert token_weights(mask, (8, 8), None, (2, 2), [0]).flatten().tolist() == [0.5, 0, 0.5, 0]
    assert token_weights(mask, (8, 8), (8, 4, 0, 0), (2, 1), [0]).flatten().tolist() == [0.5, 0.5]
    assert token_weights(mask, (8, 8), (8, 4, 0, 4), (2, 1), [0]).flatten().tolist() == [0, 0]


def test_masks_of_other_sizes_cover_the_whole_picture():
    half = torch.zeros(1, 30, 50)
    half[:, :15] = 1

    assert token_weights(half, (16, 16), None, (2, 2), [0]).flatten().tolist() == [1, 1, 0, 0]


def test_a_mask_and_its_complement_sum_to_one():
    mask = torch.rand(1, 37, 53, generator=torch.Generator().manual_seed(1))

    both = [token_weights(one, (19, 13), None, (10, 7), [0]) for one in (mask, 1 - mask)]

    torch.testing.assert_close(both[0] + both[1], torch.ones(1, 70, 1))


def test_each_frame_has_its_mask_and_the_last_one_holds():
    masks = torch.stack([torch.full((4, 4), value) for value in (0.25, 0.75)])

    found = token_weights(masks, (4, 4), None, (1, 1), [1, 0, 5])

    assert found.flatten().tolist() == [0.75, 0.25, 0.75]


def test_areas_end_at_the_border_as_in_comfyui():
    assert clip_area((8, 8, 12, 4), (16, 16)) == (4, 8, 12, 4)
    assert clip_area(None, (16, 12)) == (16, 12, 0, 0)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (torch.zeros(64, 64), "is empty"),
        (torch.zeros(0, 4), "must be"),
        (torch.full((4, 4), float("nan")), "not finite"),
        (torch.ones(4), "must be"),
    ],
)
def test_masks_that_cannot_be_meant_are_refused_by_name(mask, reason):
    with pytest.raises(InputError, match=f"the mask of reference 2 .*{reason}"):
        read_mask(mask, "reference 2")


def test_masks_come_in_the_forms_of_comfyui():
    assert read_mask(torch.ones(3, 5), "it").shape == (1, 3, 5)
    assert read_mask(torch.ones(2, 1, 3, 5), "it").shape == (2, 3, 5)
    assert read_mask(torch.full((1, 3, 5), 7.0), "it").max() == 1


@pytest.mark.parametrize(
    ("mask", "full", "is_said"),
    [
        ((512, 512), (64, 64), False),
        ((512, 512), (64, 96), True),
        ((1080, 1920), (68, 120), False),
        # a picture of 1000 x 750 pixels becomes 125 x 94 cells
        ((750, 1000), (94, 125), False),
        ((96, 128), (12, 16), False),
        ((512, 1024), (128, 64), True),
        # too few pixels to tell
        ((1, 1), (64, 64), False),
    ],
)
def test_a_mask_of_another_shape_than_the_picture_is_noted(mask, full, is_said):
    note = stretch_note(mask, full)

    assert bool(note) == is_said
    if is_said:
        assert (
            f"a mask of {mask[1]} x {mask[0]} pixels is stretched to the picture of {full[1] * 8} x {full[0] * 8}"
            in note
        )


def test_a_mask_of_another_shape_is_stretched_as_comfyui_does_it():
    wide = torch.zeros(1, 10, 40)
    wide[..., :20] = 1

    found = token_weights(wide, (8, 8), None, (8, 8), [0]).reshape(8, 8)

    # ComfyUI's reshape_mask
    theirs = torch.nn.functional.interpolate(wide[None], size=(8, 8), mode="bilinear")[0, 0]
    assert torch.equal(found, theirs)
