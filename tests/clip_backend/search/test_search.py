"""Hits against a loop in numpy, their order, their ranks by keywords, and what each of them is told to be."""

from __future__ import annotations

import os
import sqlite3

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import unit_rows
from clip_grid.clip_backend.scoring.scales import z_scores
from clip_grid.clip_backend.search.database import FILE
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.keywords import pictures_with
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.errors import InputError

from .filled import Made, fill, hash_of, made_path

COUNT, DIM = 3000, 24
PROMPTS = (
    "a red fox in the snow",
    "two foxes, long_hair",
    "a blue fish",
    "雪の中の赤い狐",
    "firefox logo",
    "",
    "Café in Paris",
)


def unit(rows):
    return unit_rows(np.asarray(rows), [""] * len(rows))


def text(vector, weight=1.0, **more):
    return Part(kind="text", name="a text", vector=vector, weight=weight, **more)


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(0)
    rows = unit(random.standard_normal((COUNT, DIM)) + random.standard_normal(DIM))
    # equal rows at places that a product of blocks adds up differently
    rows[[5, 700, 2999]] = rows[100]
    return rows


@pytest.fixture(scope="module")
def index(vectors, tmp_path_factory):
    made = [
        Made(
            f"{COUNT - place:05d}.png",
            vector,
            {"seed": str(place % 50), "prompt": PROMPTS[place % len(PROMPTS)], "negative": "red fox, blurry"},
            mtime=1e9 + place,
        )
        for place, vector in enumerate(vectors)
    ]
    with Index.open(fill(tmp_path_factory.mktemp("search") / "index", made)) as opened:
        yield opened


def places(hits):
    """The places of hits among the pictures that were made."""
    return [COUNT - int(os.path.basename(one.picture.path)[:5]) for one in hits]


def by_hand(vectors, parts, allowed=None):
    """Sums in float64, and places in order: the highest sum first, then the path."""
    cosines = [vectors.astype(np.float64) @ part.vector.astype(np.float64) for part in parts]
    sums = sum(part.weight * (one - one.mean()) / one.std() for part, one in zip(parts, cosines, strict=True))
    among = range(COUNT) if allowed is None else np.flatnonzero(allowed).tolist()
    return sums, sorted(among, key=lambda place: (-round(sums[place], 9), -place))


def asked(count, seed=1):
    return unit(np.random.default_rng(seed).standard_normal((count, DIM)))


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -0.5), (0.3, 2.0, -1.0)])
def test_hits_are_those_of_a_loop_over_all_rows(index, vectors, weights):
    parts = [text(vector, weight) for vector, weight in zip(asked(len(weights)), weights, strict=True)]
    sums, order = by_hand(vectors, parts)

    found = search(index, Query(parts=parts, top=500, duplicates=0))

    assert places(found.hits) == order[:500]
    np.testing.assert_allclose([one.score for one in found.hits], sums[order[:500]], atol=1e-5)
    assert (found.total, found.passed) == (COUNT, COUNT)
    assert [one.meaning_rank for one in found.hits] == list(range(1, 501))


def test_a_filter_leaves_the_scores_as_they_are(index, vectors):
    parts = [text(one) for one in asked(2)]
    sums, order = by_hand(vectors, parts, np.arange(COUNT) % 50 == 7)

    found = search(index, Query(parts=parts, where="seed=7", top=1000, duplicates=0))

    assert places(found.hits) == order
    assert len(order) == found.passed == COUNT // 50
    np.testing.assert_allclose([one.score for one in found.hits], sums[order], atol=1e-5)


def test_equal_rows_have_one_score_and_the_order_of_their_paths(index, vectors):
    found = search(index, Query(parts=[text(vectors[100])], top=4, duplicates=0))

    assert places(found.hits) == [2999, 700, 100, 5]
    assert len({one.score for one in found.hits}) == 1
    for top in (1, 2, 3):
        assert (
            places(search(index, Query(parts=[text(vectors[100])], top=top, duplicates=0)).hits)
            == places(found.hits)[:top]
        )


def test_the_picture_that_is_asked_with_is_no_hit_and_its_equals_are(index, vectors):
    own = hash_of("02900.png")
    part = Part(kind="picture", name="x.png", vector=vectors[100], hash=own)

    assert places(search(index, Query(parts=[part], top=3, duplicates=0)).hits) == [2999, 700, 5]
    ids = [index.id_of(own), index.id_of(hash_of("00001.png"))]
    assert places(search(index, Query(parts=[text(vectors[100])], top=2, exclude=ids, duplicates=0)).hits) == [700, 5]


def test_hits_tell_cosine_z_and_percentile_of_each_part(index, vectors):
    parts = [text(one) for one in asked(2)]
    sums, _ = by_hand(vectors, parts)

    for one in search(index, Query(parts=parts, where="seed=3", top=30, duplicates=0)).hits:
        (place,) = places([one])
        for part, score in zip(parts, one.parts, strict=True):
            cosines = vectors.astype(np.float64) @ part.vector
            assert score.cosine == pytest.approx(cosines[place], abs=1e-6)
            assert score.z == pytest.approx((cosines[place] - cosines.mean()) / cosines.std(), abs=1e-5)
        assert one.percentile == pytest.approx(100 * ((sums < sums[place] - 1e-7).sum() + 0.5) / COUNT, abs=0.06)


def test_a_text_is_as_strong_as_its_z_among_the_bank(index, vectors):
    bank, (asked_for,) = asked(64, 5), asked(1)

    hits = search(index, Query(parts=[text(asked_for, bank=bank)], top=20, duplicates=0)).hits

    rows = vectors[places(hits)]
    right = z_scores(rows @ asked_for[:, None], rows @ bank.T)[:, 0]
    np.testing.assert_allclose([one.parts[0].strength for one in hits], right, atol=1e-4)
    assert [one.is_weak for one in hits] == (right < 2).tolist()
    unwanted = search(index, Query(parts=[text(asked_for, -1.0, bank=-bank)], top=20, duplicates=0)).hits
    assert [one.is_weak for one in unwanted] == [one.parts[0].strength >= 2 for one in unwanted]


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("fox", {0, 1, 4} - {4}),
        ("red fox", {0}),
        ("fox red", {0}),
        ('"red fox"', {0}),
        ('"fox red"', set()),
        ("the red FOX", {0}),
        ("long_hair", {1}),
        ("long hair", {1}),
        ("cafe", {6}),
        ("CAFÉ par", {6}),
        ("par café", set()),
        ("狐", {3}),
        ("赤い狐", {3}),
        ("狐赤", set()),
        ("の中 狐", {3}),
        ("blurry", set()),
        ("the", {0}),
        ("(fox:1.2) AND", set()),
        ("?!", set()),
        ('fox" OR "fish', set()),
        ("fox OR fish", set()),
        ("prompt:fox", set()),
        ("fox*", {0, 1}),
        ("\0fox", {0, 1}),
    ],
)  # fmt: skip
def test_keywords_find_the_prompts_that_have_all_words(index, words, right):
    found = {
        (COUNT - int(made_path(one.hash)[:5])) % len(PROMPTS)
        for one in index.pictures(pictures_with(index, words)).values()
    }

    assert found == right


@pytest.mark.parametrize("words", ["red fox", "cafÉ", "赤い狐", "long_hair"])
def test_without_full_text_search_the_texts_themselves_are_searched(index, words, monkeypatch):
    expected = set(pictures_with(index, words, most=-1).tolist())
    monkeypatch.setattr("clip_grid.clip_backend.search.keywords.has_full_text", lambda connection: False)

    assert expected
    assert set(pictures_with(index, words.replace("É", "é"), most=-1).tolist()) == expected


def test_keywords_and_meaning_are_fused_by_reciprocal_ranks(index, vectors):
    parts = [text(one) for one in asked(1)]
    _, order = by_hand(vectors, parts, np.arange(COUNT) % 50 < 25)
    by_words = [index.pictures([id])[id] for id in pictures_with(index, "red fox", most=-1).tolist()]
    words = [place for place in (COUNT - int(made_path(one.hash)[:5]) for one in by_words) if place % 50 < 25]
    ranks = [{place: rank for rank, place in enumerate(every, 1)} for every in (order, words)]
    fused = {place: sum(1 / (60 + of[place]) for of in ranks if place in of) for place in order}

    hits = search(index, Query(parts=parts, keywords="red fox", where="seed<25", top=300, duplicates=0)).hits

    np.testing.assert_allclose([one.score for one in hits], sorted(fused.values(), reverse=True)[:300], rtol=1e-9)
    for one in hits:
        (place,) = places([one])
        assert (one.meaning_rank, one.keyword_rank) == tuple(of.get(place) for of in ranks)
        assert not (one.is_weak and one.keyword_rank)


def test_keywords_alone_need_no_vectors(index):
    found = search(index, Query(keywords="red fox", top=5))

    assert [one.keyword_rank for one in found.hits] == [1, 2, 3, 4, 5]
    assert all(one.parts == () and one.percentile is None and not one.is_weak for one in found.hits)
    assert search(index, Query(keywords="zebra")).hits == ()


def test_without_a_question_hits_are_the_newest(index):
    assert places(search(index, Query(top=3)).hits) == [2999, 2998, 2997]
    assert places(search(index, Query(top=2, where="seed=7")).hits) == [2957, 2907]
    assert len(search(index, Query(top=5000)).hits) == COUNT


def test_missing_pictures_are_hits_only_where_the_filter_speaks_of_them(tmp_path):
    made = [Made("gone.png"), Made("there.png", copies=["a.png"])]
    folder = fill(tmp_path / "index", made)
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("UPDATE files SET missing = 1 WHERE name <> ?", (b"there.png",))
    part = text(np.float32([1, 0]))

    with Index.open(folder) as index:
        (there,) = search(index, Query(parts=[part], duplicates=0)).hits
        gone = search(index, Query(parts=[part], where="missing=yes and not name~a.png", duplicates=0)).hits

    assert [os.path.basename(one.path) for one in there.picture.paths] == ["there.png", "a.png"]
    assert [one.is_missing for one in there.picture.paths] == [False, True]
    assert [(os.path.basename(one.picture.path), one.picture.is_missing) for one in gone] == [("gone.png", True)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query(top=0), "top is 0"),
        (Query(diversity=1.5), "diversity is 1.5"),
        (Query(duplicates=-1), "duplicates is -1"),
        (Query(parts=[text(np.zeros(3, np.float32))]), "vectors of 24 dimensions, of a test model"),
        (Query(parts=[text(np.zeros(DIM, np.float32), float("nan"))]), "weight of 'a text' is nan"),
        (Query(where="sed=1"), "did you mean seed"),
    ],
)
def test_wrong_queries_are_refused(index, query, message):
    with pytest.raises(InputError, match=message):
        search(index, query)
