from __future__ import annotations

import json

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.ranking.ranking import rank_scores
from clip_grid.clip_backend.ranking.result import RankOptions
from clip_grid.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

ALL = RankOptions(keep="all")


def indices(pictures):
    return [one.index for one in pictures]


def reasons(ranking):
    return {one.index: one.reason for one in ranking.rejected}


def features_at(*degrees):
    turns = np.radians(degrees)
    return Features.from_raw(np.stack([np.cos(turns), np.sin(turns)], axis=1), map(str, degrees), "toy")


# order


def test_the_highest_score_comes_first():
    ranking = rank_scores([0.2, 0.9, 0.5], options=ALL)

    assert indices(ranking.pictures) == [1, 2, 0]
    assert [one.score for one in ranking.pictures] == [0.9, 0.5, 0.2]
    assert [one.name for one in ranking.pictures] == ["picture 2", "picture 3", "picture 1"]
    assert (ranking.scale, ranking.status) == ("given", "ok")


def test_the_lowest_score_comes_first_if_asked():
    assert indices(rank_scores([0.2, 0.9, 0.5], options=RankOptions(keep="all", descending=False)).pictures) == [
        0,
        2,
        1,
    ]


@pytest.mark.parametrize("descending", [True, False])
def test_equal_scores_keep_the_order_in_which_they_were_given(descending):
    ranking = rank_scores([1, 0, 1, 0, 1], options=RankOptions(keep="all", descending=descending))

    assert indices(ranking.pictures) == ([0, 2, 4, 1, 3] if descending else [1, 3, 0, 2, 4])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.booleans(), st.integers(1, 40))
def test_the_order_is_that_of_a_stable_sort_and_the_best_k_are_kept(scores, descending, k):
    ranking = rank_scores(scores, options=RankOptions(k=k, descending=descending))

    expected = sorted(range(len(scores)), key=lambda place: -scores[place] if descending else scores[place])
    assert indices(ranking.pictures) == expected
    assert indices(ranking.kept) == expected[:k]
    assert indices(ranking.rejected) == expected[k:]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(-1, 1), st.booleans())
def test_those_that_reach_the_threshold_are_kept(scores, threshold, descending):
    options = RankOptions(keep="above threshold", threshold=threshold, descending=descending)

    kept = set(indices(rank_scores(scores, options=options).kept))

    expected = np.array(scores) >= threshold if descending else np.array(scores) <= threshold
    assert kept == set(np.flatnonzero(expected).tolist())


# what is kept


def test_the_others_are_rejected_with_their_reasons():
    assert reasons(rank_scores([0.3, 0.1], options=RankOptions())) == {1: "not the best"}
    assert reasons(rank_scores([3, 1, 2], options=RankOptions(k=2))) == {1: "not among the best 2"}
    above = RankOptions(keep="above threshold", threshold=0.25)
    assert reasons(rank_scores([0.25, 0.2], options=above)) == {1: "its score 0.2 is below the threshold 0.25"}
    below = RankOptions(keep="above threshold", threshold=2, descending=False)
    assert reasons(rank_scores([2, 3], options=below)) == {1: "its score 3 is above the threshold 2"}


def test_more_than_there_are_keeps_all():
    assert indices(rank_scores([1, 2], options=RankOptions(k=5)).kept) == [1, 0]


def test_one_picture_is_the_best():
    ranking = rank_scores([-0.5], options=RankOptions())

    assert (indices(ranking.kept), ranking.rejected) == ([0], ())


def test_no_picture_need_reach_the_threshold():
    ranking = rank_scores([0.1, 0.2], options=RankOptions(keep="above threshold", threshold=0.9))

    assert (ranking.kept, indices(ranking.rejected)) == ((), [1, 0])


# without a score


@pytest.mark.parametrize("descending", [True, False])
def test_a_picture_without_a_score_is_last_and_rejected(descending):
    scores = [np.nan, 0.1, None, -0.2, np.inf, -np.inf]

    ranking = rank_scores(scores, options=RankOptions(keep="all", descending=descending), names="abcdef")

    assert indices(ranking.pictures) == ([1, 3] if descending else [3, 1]) + [0, 2, 4, 5]
    assert reasons(ranking) == {
        0: "its score is nan",
        2: "its score is nan",
        4: "its score is inf",
        5: "its score is -inf",
    }
    assert ranking.status == "partial"


def test_no_score_at_all_is_refused():
    with pytest.raises(InputError, match=r"none of the 2 pictures has a score \(ä.png: its score is nan\)"):
        rank_scores([np.nan, np.inf], options=ALL, names=["ä.png", "b.png"])


# near-duplicates


def test_the_best_of_near_duplicates_stays():
    options = RankOptions(keep="all", duplicates=0.9)

    ranking = rank_scores([1, 3, 2, 5], options=options, names="abcd", features=features_at(0, 10, 100, 20))

    assert indices(ranking.kept) == [3, 2]
    assert reasons(ranking) == {
        1: "near-duplicate of d (cosine 0.985)",
        0: "near-duplicate of d (cosine 0.940)",
    }
    assert [one.group for one in ranking.pictures] == [3, 3, 2, 3]


def test_the_lowest_of_near_duplicates_stays_if_it_is_the_best():
    options = RankOptions(k=1, duplicates=0.9, descending=False)

    ranking = rank_scores([3, 1, 2], options=options, names="abc", features=features_at(0, 10, 100))

    assert indices(ranking.kept) == [1]
    assert reasons(ranking) == {2: "not the best", 0: "near-duplicate of b (cosine 0.985)"}


def test_the_best_k_are_counted_without_near_duplicates():
    options = RankOptions(k=2, duplicates=0.9)

    ranking = rank_scores([9, 8, 7, 6], options=options, features=features_at(0, 5, 10, 90))

    assert indices(ranking.kept) == [0, 3]


def test_near_duplicates_of_equal_score_keep_the_first():
    options = RankOptions(keep="all", duplicates=1.0)

    assert indices(rank_scores([1, 1, 1], options=options, features=features_at(7, 7, 7)).kept) == [0]


def test_a_picture_without_a_score_links_no_others():
    options = RankOptions(keep="all", duplicates=0.98)

    ranking = rank_scores([1, np.nan, 2], options=options, features=features_at(0, 10, 20))

    assert indices(ranking.kept) == [2, 0]
    assert [one.group for one in ranking.pictures] == [2, 0, 1]


def test_near_duplicates_without_features_are_refused_with_the_cure():
    with pytest.raises(InputError, match=r"give the features .*, or set duplicates to 0"):
        rank_scores([1, 2], options=RankOptions(duplicates=0.9))


# bad input


@pytest.mark.parametrize("scores", [[], np.zeros(0)])
def test_no_scores_are_refused(scores):
    with pytest.raises(InputError, match="no scores were given; give one for each picture"):
        rank_scores(scores, options=ALL)


def test_counts_that_do_not_fit_are_refused_with_both():
    with pytest.raises(InputError, match="there are 3 scores but 2 pictures"):
        rank_scores([1, 2, 3], options=ALL, names=["a", "b"])
    with pytest.raises(InputError, match="there are 3 scores but features of 2 pictures"):
        rank_scores([1, 2, 3], options=ALL, features=features_at(1, 2))


@pytest.mark.parametrize("scores", [["high", "low"], [[1, 2], [3]], [object()], "abc", 0.5, [[1, 2], [3, 4]]])
def test_scores_that_are_no_list_of_numbers_are_refused(scores):
    with pytest.raises(InputError, match="the scores"):
        rank_scores(scores, options=ALL)


def test_the_answer_is_plain_json():
    ranking = rank_scores([0.5, np.nan], options=ALL, names=["日本.png", "b"], scale="taste")

    assert json.loads(json.dumps(ranking.to_dict(), allow_nan=False)) == {
        "status": "partial",
        "model": "",
        "scale": "taste",
        "kept": 1,
        "rejected": 1,
        "images": [
            {"index": 0, "path": "日本.png", "score": 0.5, "is_kept": True, "reason": "", "group": 0},
            {"index": 1, "path": "b", "score": None, "is_kept": False, "reason": "its score is nan", "group": 1},
        ],
        "notes": [],
    }
