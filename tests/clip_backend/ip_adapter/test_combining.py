"""Pictures of references combined, against numpy and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from clip_grid.clip_backend.ip_adapter.combining import combine, read_picture_weights
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.squares import squares
from clip_grid.errors import InputError


def reference(*rows, **fields):
    return Reference(States(embeds=torch.tensor(rows, dtype=torch.float32)), **fields)


def embeds(how, *rows, **fields):
    (made,) = combine([reference(*rows, **fields)], how)
    return made.states.embeds.numpy()


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def test_an_average_is_weighted(rows):
    weights = (1.0, 0.5, 2.0)

    made = embeds("average", *rows.tolist(), picture_weights=weights)

    np.testing.assert_allclose(made[0], np.average(rows, axis=0, weights=weights), rtol=1e-6)


def test_a_norm_average_takes_the_directions_over_the_features_and_the_mean_length(rows):
    lengths = np.linalg.norm(rows, axis=1)
    mean = (rows / lengths[:, None]).mean(axis=0)

    made = embeds("norm average", *rows.tolist())

    np.testing.assert_allclose(made[0], mean / np.linalg.norm(mean) * lengths.mean(), rtol=1e-5)
    # a picture with larger numbers does not win
    assert embeds("norm average", [100, 0], [0, 1])[0, 0] == pytest.approx(50.5 / np.sqrt(2))


def test_pictures_are_added_and_subtracted(rows):
    first, *others = rows

    np.testing.assert_allclose(embeds("add", *rows.tolist())[0], rows.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(embeds("subtract", *rows.tolist())[0], first - np.mean(others, axis=0), rtol=1e-5)


def test_slerp_goes_along_the_circle_as_far_as_the_second_weight_says():
    made = embeds("slerp", [2, 0], [0, 4], picture_weights=(2.0, 1.0))

    angle = np.pi / 2 / 3
    np.testing.assert_allclose(made[0], (2 + 2 / 3) * np.array([np.cos(angle), np.sin(angle)]), rtol=1e-6)
    np.testing.assert_allclose(embeds("slerp", [1, 2], [1, 2], [1, 2])[0], [1, 2], rtol=1e-6)


@pytest.mark.parametrize("how", ["average", "norm average", "slerp"])
def test_equal_pictures_are_one_picture(how, rows):
    made = embeds(how, *[rows[0].tolist()] * 3)

    np.testing.assert_allclose(made[0], rows[0], rtol=1e-5)


def test_all_states_of_tokens_are_combined_token_by_token():
    hidden = torch.randn(2, 4, 6)
    given = Reference(States(hidden=hidden), blank=torch.zeros(1, 4, 6))

    (made,) = combine([given], "average")

    assert torch.allclose(made.states.hidden[0], hidden.mean(dim=0))
    assert made.blank is not None


def test_concat_keeps_pictures_and_their_weights():
    (made,) = combine([reference([1, 0], weight=0.5), reference([0, 1], [1, 1], picture_weights=(1.0, 3.0))], "concat")

    assert made.states.embeds.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert (made.picture_weights, made.weight, made.per_frame) == ((0.5, 1.0, 3.0), 1.0, False)


def test_the_weight_of_a_single_reference_stays_that_of_its_term():
    (made,) = combine([reference([2, 0], [0, 2], weight=0.5)], "average")

    assert (made.weight, made.states.embeds.tolist()) == (0.5, [[1, 1]])


def test_separate_makes_a_reference_of_each_picture():
    made = combine([reference([1, 0], [0, 1], weight=0.5, picture_weights=(1.0, 3.0))], "separate")

    assert [(one.weight, one.states.embeds.tolist()) for one in made] == [(0.5, [[1, 0]]), (1.5, [[0, 1]])]


def test_positive_and_negative_references_are_combined_apart():
    given = [reference([1, 0], is_negative=True), reference([0, 1]), reference([0, 3])]

    made = combine(given, "average")

    assert [(one.is_negative, one.states.embeds.tolist()) for one in made] == [(False, [[0, 2]]), (True, [[1, 0]])]


def test_per_frame_gives_each_frame_its_picture():
    (made,) = combine([reference([1, 0], [0, 1])], "per frame")

    assert made.per_frame


@pytest.mark.parametrize(
    ("given", "how", "said"),
    [
        ([], "concat", "no reference"),
        ([reference([1, 0])], "mean", "must be one of"),
        ([reference([1, 0], fingerprint="a"), reference([0, 1], fingerprint="b")], "add", "different vision encoders"),
        ([reference([1, 0], mask=torch.ones(1, 2, 2)), reference([0, 1])], "add", "different masks"),
        ([reference([1, 0]), reference([1, 0, 0])], "average", "differ in their embeds"),
        ([reference([1, 0], [0, 1], picture_weights=(1.0, -1.0))], "average", "add up to 0"),
        ([reference([1, 0], [0, 1], picture_weights=(1.0, -1.0))], "slerp", "weights of 0 and above"),
        ([reference([1, 0])], "subtract", "two pictures or more"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_the_reason(given, how, said):
    with pytest.raises(InputError, match=said):
        combine(given, how)


@pytest.mark.parametrize(("text", "weights"), [("", ()), ("1, 0.5", (1.0, 0.5)), ("1; -2", (1.0, -2.0))])
def test_weights_of_pictures_are_numbers_between_commas(text, weights):
    assert read_picture_weights(text, 2) == weights


@pytest.mark.parametrize(("text", "said"), [("a, b", "give numbers"), ("1", "1 numbers for 2"), ("nan, 1", "numbers")])
def test_other_weights_of_pictures_are_refused(text, said):
    with pytest.raises(InputError, match=said):
        read_picture_weights(text, 2)


# squares


def wide(height=2, width=5):
    return torch.arange(height * width).reshape(height, width, 1).expand(-1, -1, 3).float()


@pytest.mark.parametrize(("position", "first"), [(0.0, 0), (0.5, 2), (1.0, 3)])
def test_crop_takes_its_square_where_the_position_says(position, first):
    (made,) = squares(wide(), "crop", position)

    assert made.shape == (2, 2, 3)
    assert made[0, 0, 0] == first
    (upright,) = squares(wide().transpose(0, 1), "crop", position)
    assert torch.equal(upright, made.transpose(0, 1))


def test_pad_shows_all_of_a_picture_in_its_mean_color():
    (made,) = squares(wide(), "pad")

    assert made.shape == (5, 5, 3)
    assert torch.equal(made[1:3], wide())
    assert made[0].unique().tolist() == [4.5] == made[4].unique().tolist()


def test_tiles_cover_a_picture_from_end_to_end():
    made = squares(wide(), "tiles")

    assert [int(one[0, 0, 0]) for one in made] == [0, 2, 3]
    assert len(squares(wide(1, 500), "tiles")) == 8
    assert len(squares(wide(4, 4), "tiles")) == 1


def test_squash_leaves_the_picture_to_be_stretched():
    assert torch.equal(squares(wide(), "squash")[0], wide())


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(InputError, match="nothing to see"):
        squares(torch.zeros(0, 5, 3), "crop")
