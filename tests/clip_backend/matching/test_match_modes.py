from __future__ import annotations

import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.errors import InputError

from .vector_encoder import VectorEncoder, text_at

PICTURES = {"a.png": text_at(0.1), "b.png": text_at(0.2), "c.png": text_at(0.3)}
TEXTS = {"one": text_at(0.4), "two": text_at(0.5), "drei": text_at(0.6)}


def places(pictures, texts, mode="auto"):
    found = match_pictures(VectorEncoder(TEXTS, PICTURES), pictures, texts, options=MatchOptions(mode=mode))
    assert [one.text for one in found.results] == [texts[one.text_index] for one in found.results]
    return found.mode, [(one.image[0], one.image_index, one.text_index) for one in found.results]


def test_pairs_go_first_with_first():
    assert places([*PICTURES], [*TEXTS]) == ("pairs", [("a", 0, 0), ("b", 1, 1), ("c", 2, 2)])


def test_a_matrix_goes_picture_by_picture():
    mode, found = places(["a.png", "b.png"], [*TEXTS], "matrix")

    assert mode == "matrix"
    assert found == [("a", 0, 0), ("a", 0, 1), ("a", 0, 2), ("b", 1, 0), ("b", 1, 1), ("b", 1, 2)]


@pytest.mark.parametrize("mode", ["auto", "broadcast"])
def test_one_that_stands_alone_goes_with_all_others(mode):
    assert places(["b.png"], [*TEXTS], mode) == ("broadcast", [("b", 0, 0), ("b", 0, 1), ("b", 0, 2)])
    assert places([*PICTURES], ["two"], mode) == ("broadcast", [("a", 0, 0), ("b", 1, 0), ("c", 2, 0)])


@pytest.mark.parametrize("mode, told", [("auto", "pairs"), ("pairs", "pairs"), ("matrix", "matrix")])
def test_one_picture_and_one_text_are_one_pair_in_every_mode(mode, told):
    assert places(["a.png"], ["one"], mode) == (told, [("a", 0, 0)])


@pytest.mark.parametrize("mode", ["auto", "pairs"])
def test_counts_that_make_no_pairs_are_told_with_the_cure(mode):
    with pytest.raises(InputError, match=r"3 pictures and 2 texts.*matrix"):
        places([*PICTURES], ["one", "two"], mode)


def test_broadcast_of_several_with_several_is_refused():
    with pytest.raises(InputError, match=r"3 pictures and 3 texts.*one picture or one text"):
        places([*PICTURES], [*TEXTS], "broadcast")


def test_counts_are_checked_before_a_picture_is_read():
    encoder = VectorEncoder(TEXTS, PICTURES)

    with pytest.raises(InputError):
        match_pictures(encoder, [*PICTURES], ["one", "two"])
    assert encoder.seen == encoder.read == []


def test_pictures_of_a_generator_are_counted_when_it_ends():
    encoder = VectorEncoder(TEXTS, PICTURES)

    found = match_pictures(encoder, iter(PICTURES), [*TEXTS])

    assert found.shape == (3, 3)
    with pytest.raises(InputError, match="3 pictures and 2 texts"):
        match_pictures(encoder, iter(PICTURES), ["one", "two"])


def test_an_unknown_mode_is_refused_by_name():
    with pytest.raises(InputError, match="'each'"):
        places(["a.png"], ["one"], "each")


def test_a_broken_picture_costs_its_own_pair_alone():
    found = match_pictures(VectorEncoder(TEXTS, PICTURES), ["a.png", "ü.png", "c.png"], [*TEXTS])

    assert [(one.image_index, one.text, one.text_index) for one in found.results] == [(0, "one", 0), (2, "drei", 2)]
    assert [(one.index, one.name) for one in found.failed] == [(1, "ü.png")]
    assert (found.status, found.shape) == ("partial", (3, 3))
    assert found.to_dict()["failed"] == [{"path": "ü.png", "reason": "is broken"}]


def test_a_broken_picture_costs_its_own_row_of_a_matrix():
    pictures = ["x.png", "b.png", "y.png", "a.png"]
    found = match_pictures(
        VectorEncoder(TEXTS, PICTURES), pictures, ["one", "two"], options=MatchOptions(mode="matrix")
    )

    assert [(one.image, one.image_index, one.text_index) for one in found.results] == [
        ("b.png", 1, 0), ("b.png", 1, 1), ("a.png", 3, 0), ("a.png", 3, 1),
    ]  # fmt: skip
    assert [one.index for one in found.failed] == [0, 2]


def test_pictures_that_are_all_broken_leave_no_results():
    found = match_pictures(VectorEncoder(TEXTS, PICTURES), ["x.png"], [*TEXTS])

    assert (found.results, found.mode, len(found.failed)) == ((), "broadcast", 1)


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures were given"):
        places([], ["one"])


def test_scores_do_not_depend_on_what_else_is_matched():
    encoder = VectorEncoder(TEXTS, PICTURES)

    alone = match_pictures(encoder, ["b.png"], ["two"]).results[0]
    among = match_pictures(encoder, [*PICTURES], [*TEXTS], options=MatchOptions(mode="matrix")).results[4]

    assert (among.cosine, among.probability, among.percentile) == pytest.approx(
        (alone.cosine, alone.probability, alone.percentile), abs=1e-6
    )
    assert among.verdict == alone.verdict


def test_progress_counts_the_pictures():
    told = []

    match_pictures(VectorEncoder(TEXTS, PICTURES), [*PICTURES], [*TEXTS], progress=lambda *done: told.append(done))

    assert told[-1] == (3, 3)
