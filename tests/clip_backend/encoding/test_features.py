"""Features: unit vectors with names, and the refusal to mix spaces."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.errors import InputError, SpaceError


def features(rows, ids=None, space="m"):
    return Features.from_raw(np.array(rows, np.float32), ids or [f"{n}.png" for n in range(len(rows))], space)


def test_raw_rows_get_length_one_and_keep_their_direction():
    made = features([[3.0, 4.0], [0.0, -2.0]])

    np.testing.assert_allclose(made.vectors, [[0.6, 0.8], [0, -1]], atol=1e-7)
    assert made.vectors.dtype == np.float32
    assert (len(made), made.dim, made.ids) == (2, 2, ("0.png", "1.png"))


def test_very_small_and_very_large_rows_keep_their_direction():
    made = features([[3e-30, 4e-30], [3e30, 4e30]])

    np.testing.assert_allclose(made.vectors, [[0.6, 0.8], [0.6, 0.8]], atol=1e-6)


def test_a_zero_row_is_refused_by_name():
    with pytest.raises(InputError, match=r"b\.png is zero"):
        features([[1.0, 0], [0, 0]], ["a.png", "b.png"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_refused_by_name(value):
    with pytest.raises(InputError, match=r"b\.png is not finite"):
        features([[1.0, 0], [value, 0]], ["a.png", "b.png"])


def test_rows_of_another_length_are_refused_without_normalising():
    with pytest.raises(InputError, match=r"a\.png has length 2.*from_raw"):
        Features(np.array([[2.0, 0]], np.float32), ("a.png",), "m")


def test_each_row_needs_an_id():
    with pytest.raises(InputError, match="2 vectors but 1 ids"):
        features([[1.0, 0], [0, 1]], ["a.png"])


def test_a_single_vector_is_not_a_matrix():
    with pytest.raises(InputError, match=r"\(2,\)"):
        Features.from_raw(np.array([1.0, 0]), ["a"], "m")


def test_similarity_is_the_cosine_of_every_pair():
    cosines = features([[1.0, 0], [1, 1]]).similarity(features([[0.0, 2], [-5, 0], [7, 7]]))

    np.testing.assert_allclose(cosines, [[0, -1, 0.70710678], [0.70710678, -0.70710678, 1]], atol=1e-6)
    assert cosines.max() <= 1


def test_two_spaces_never_compare_and_both_are_named():
    with pytest.raises(SpaceError, match=r"'left'.*'right'"):
        features([[1.0, 0]], space="left").similarity(features([[1.0, 0]], space="right"))


def test_rows_are_selected_in_the_order_asked_for():
    chosen = features([[1.0, 0], [0, 1], [-1, 0]]).select([2, 0])

    assert chosen.ids == ("2.png", "0.png")
    np.testing.assert_array_equal(chosen.vectors, [[-1, 0], [1, 0]])


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no row 5"):
        features([[1.0, 0]]).select([0, 5])


def test_no_rows_are_features_too():
    empty = Features.from_raw(np.zeros((0, 4)), [], "m")

    assert empty.similarity(features([[1.0, 0, 0, 0]])).shape == (0, 1)
