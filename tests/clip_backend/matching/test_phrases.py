from __future__ import annotations

import math

import pytest
from clip_grid.clip_backend.matching.match import MOST_PHRASED, judged_phrases, match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.texts import MOST_PHRASES, Phrase, phrases_of
from hypothesis import given, strategies

from .vector_encoder import VectorEncoder, bank_at, text_at


def parts(text):
    return [(phrase.text, phrase.rest) for phrase in phrases_of(text)]


def words(text):
    return [phrase.text for phrase in phrases_of(text)]


def test_a_list_is_split_at_its_commas():
    assert parts("red, circle, blue background") == [
        ("red", "circle, blue background"),
        ("circle", "red, blue background"),
        ("blue background", "red, circle"),
    ]


def test_a_sentence_is_split_before_prepositions_and_stays_natural():
    assert parts("a small red circle on a blue background") == [
        ("a small red circle", "a blue background"),
        ("a blue background", "a small red circle"),
    ]


def test_a_part_from_the_middle_leaves_its_neighbours_with_their_own_prepositions():
    assert parts("a cat in front of the old house with a red door") == [
        ("a cat", "the old house with a red door"),
        ("the old house", "a cat with a red door"),
        ("a red door", "a cat in front of the old house"),
    ]


def test_the_second_half_of_a_clause_stands_for_the_first_when_that_is_left_out():
    assert parts("oil painting, a large red circle on a blue ground; 8k")[1] == (
        "a large red circle",
        "oil painting, a blue ground; 8k",
    )


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("a woman wearing a red hat and a blue coat", ["a woman", "wearing a red hat", "a blue coat"]),
        ("a black and white cat with black and white kittens", ["a black and white cat", "black and white kittens"]),
        (
            "a cat | a dog\nA bird: high up; a fish. The end",
            ["a cat", "a dog", "A bird", "high up", "a fish", "The end"],
        ),
        ("cat on mat", ["cat on mat"]),
        ("1,000 stars, 16:9, f/1.8", ["1,000 stars", "16:9", "f/1.8"]),
        ("5 p.m. light, U.S. flag", ["5 p.m. light", "U.S. flag"]),
        ("a cat - a dog", ["a cat", "a dog"]),
        ("红色的圆，蓝色背景。", ["红色的圆", "蓝色背景"]),
        ("Ein Kreis, größer", ["Ein Kreis", "größer"]),
        ("a cat.", ["a cat."]),
        (", a cat ,, , a dog,", ["a cat", "a dog"]),
        ("...", ["..."]),
        ("with with with with with", ["with", "with"]),
    ],
)
def test_texts_of_many_kinds_are_split_where_a_reader_would(text, phrases):
    assert words(text) == phrases


def test_no_phrase_and_no_rest_is_empty_or_begins_with_a_stop():
    for text in (
        "on, on a, the",
        "a man looking out in on the sea with",
        ",;.",
        "a, b, a",
        " x ",
        "in a\n\n\nb in c of d e",
    ):
        found = phrases_of(text)
        assert all(phrase.text.strip() for phrase in found)
        assert all(phrase.rest.strip(" ,;.\n") for phrase in found) or len(found) == 1


def test_a_text_of_one_phrase_has_no_rest():
    assert phrases_of("a cat") == (Phrase("a cat", ""),)


def test_the_end_of_a_very_long_list_is_one_phrase():
    tags = [f"tag {number}" for number in range(MOST_PHRASES + 2)]

    found = phrases_of(", ".join(tags))

    assert len(found) == MOST_PHRASES
    assert found[0].rest == ", ".join(tags[1:])
    assert (found[-1].text, found[-1].rest) == (", ".join(tags[-3:]), ", ".join(tags[:-3]))


@given(strategies.text().filter(str.strip))
def test_every_text_has_phrases_that_can_be_read(text):
    found = phrases_of(text)

    assert all(phrase.text.strip() for phrase in found)
    assert len(found) == 1 or all(phrase.rest.strip() for phrase in found)


@pytest.mark.parametrize(
    "text", ["a" + 100_000 * " " + "b", "a " + 50_000 * "on ", 50_000 * "a,", 100_000 * "-", 50_000 * ". "]
)
def test_a_text_of_one_thing_over_and_over_is_split_at_once(text):
    assert 1 <= len(phrases_of(text)) <= MOST_PHRASES


def judged(text):
    return [phrase.text for phrase in judged_phrases(text)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("a cat on a red sofa, masterpiece, best quality, 8k", ["a cat", "a red sofa"]),
        ("score_9, score_8_up, highly detailed, trending on artstation, a castle", ["a castle"]),
        ("1girl, solo, long hair, ultra-detailed, absurdres", ["girl", "solo", "long hair"]),
        ("two cats on a red sofa", ["cats", "a red sofa"]),
        ("a couple of dogs and a pair of shoes in a park", ["dogs", "shoes", "a park"]),
        ("a couple walking on the beach", ["a couple walking", "the beach"]),
        ("a man without a hat on a bridge, no people, not blurry", ["a man", "a bridge"]),
        ("a 4k monitor, 35 mm film, 1990s car, f/1.8", ["a 4k monitor", "35 mm film", "1990s car", "f/1.8"]),
        ("a detailed map of the world, sharp rocks", ["a detailed map of the world", "sharp rocks"]),
        ("masterpiece", []),
    ],
)
def test_quality_words_counts_and_negations_are_no_phrases(text, phrases):
    assert judged(text) == phrases


def test_a_text_of_quality_words_alone_has_no_phrases():
    assert scored({"best quality, 8k": text_at(0.2)}, "best quality, 8k").phrases == ()


def scored(texts, whole, **options):
    """The result of a text among bank texts at 0.1 with a standard deviation of 0.05."""
    encoder = VectorEncoder(texts, bank=bank_at(0.1, 0.05))
    return match_pictures(encoder, ["cat.png"], [whole], options=MatchOptions(**options)).results[0]


def test_a_phrase_says_how_it_fits_alone_and_what_it_adds():
    result = scored({"a cat, a hat": text_at(0.2), "a cat": text_at(0.3), "a hat": text_at(0.11)}, "a cat, a hat")

    cat, hat = result.phrases
    assert (cat.cosine, hat.cosine) == (pytest.approx(0.3), pytest.approx(0.11))
    assert (cat.z, hat.z) == (pytest.approx(4), pytest.approx(0.2, abs=1e-4))
    assert (cat.percentile, hat.percentile) == (100, 50)
    # the cosine of the whole less that of the other phrase, in standard deviations
    assert (cat.support, hat.support) == (pytest.approx(0.09 / 0.05, abs=1e-4), pytest.approx(-0.1 / 0.05, abs=1e-4))
    assert (cat.status, hat.status) == ("shown", "missing")
    assert (cat.is_missing, hat.is_missing) == (False, True)
    assert result.weakest_phrase is hat
    assert result.missing_phrases == (hat,)
    assert result.to_dict()["phrases"][1] == {
        "text": "a hat",
        "cosine": hat.cosine,
        "z": hat.z,
        "percentile": 50,
        "support": hat.support,
        "status": "missing",
        "is_missing": True,
    }


@pytest.mark.parametrize(
    ("z", "support", "status"),
    [
        (0.4, 1.0, "missing"),
        (0.6, 0.0, "unclear"),
        (0.6, -0.2, "missing"),
        (1.4, -0.2, "missing"),
        (1.6, -0.2, "unclear"),
        (0.6, 0.3, "shown"),
        (2.1, -0.5, "shown"),
    ],
)
def test_a_phrase_is_shown_missing_or_unclear_by_its_z_and_support(z, support, status):
    texts = {"a cat, a hat": text_at(0.2 + 0.05 * support), "a cat": text_at(0.2), "a hat": text_at(0.1 + 0.05 * z)}

    assert scored(texts, "a cat, a hat").phrases[1].status == status


def test_where_nothing_fits_every_phrase_is_missing():
    texts = {"a cat, a hat": text_at(0.06), "a cat": text_at(0.05), "a hat": text_at(0.04)}

    assert [one.status for one in scored(texts, "a cat, a hat").phrases] == ["missing", "missing"]


@pytest.mark.parametrize(("cosine", "status"), [(0.3, "shown"), (0.15, "unclear"), (0.08, "missing")])
def test_a_text_of_one_phrase_is_judged_by_its_z_alone(cosine, status):
    (phrase,) = scored({"a cat": text_at(cosine)}, "a cat").phrases

    assert (phrase.support, phrase.status) == (0, status)


def test_phrases_are_left_out_where_they_are_not_wanted():
    result = scored({"a cat, a hat": text_at(0.3)}, "a cat, a hat", phrases=False)

    assert result.phrases == ()
    assert result.weakest_phrase is None


def test_every_pair_of_a_matrix_has_its_own_phrases():
    pictures = {"cat.png": (1.0, 0.0, 0.0, 0.0), "hat.png": (0.0, 1.0, 0.0, 0.0)}
    both = math.sqrt(0.5)
    texts = {"a cat, a hat": (both, both, 0.0, 0.0), "a cat": (1.0, 0.0, 0.0, 0.0), "a hat": (0.0, 1.0, 0.0, 0.0)}
    encoder = VectorEncoder(texts, pictures)

    matrix = match_pictures(
        encoder, [*pictures], ["a hat", "a cat, a hat"], options=MatchOptions(mode="matrix")
    ).results
    pairs = match_pictures(encoder, [*pictures], ["a cat, a hat", "a cat, a hat"]).results

    weakest = [one.weakest_phrase.text for one in (matrix[1], matrix[3])]
    assert weakest == [one.weakest_phrase.text for one in pairs] == ["a hat", "a cat"]
    assert matrix[0].phrases[0].is_missing and not matrix[2].phrases[0].is_missing


def test_a_broken_picture_does_not_shift_the_phrases_of_pairs():
    encoder = VectorEncoder(
        {"a cat": text_at(0.3), "a dog, a hat": text_at(0.2), "a dog": text_at(0.2), "a hat": text_at(0)}
    )

    result = match_pictures(encoder, ["broken.png", "cat.png"], ["a cat", "a dog, a hat"]).results[0]

    assert [one.text for one in result.phrases] == ["a dog", "a hat"]


def test_phrases_of_very_many_pairs_are_left_out_with_a_note():
    side = math.isqrt(MOST_PHRASED) + 1
    encoder = VectorEncoder({"a cat": text_at(0.3)})

    found = match_pictures(encoder, ["cat.png"] * side, ["a cat"] * side, options=MatchOptions(mode="matrix"))

    assert found.results[-1].phrases == ()
    assert f"{side * side} pairs" in found.notes[0]


def test_each_text_and_phrase_is_read_once():
    texts = {"a cat, a hat": text_at(0.2), "a cat": text_at(0.3), "a hat": text_at(0.15)}
    encoder = VectorEncoder(texts)

    match_pictures(encoder, ["cat.png"] * 3, ["a cat, a hat"])

    assert sorted(encoder.read) == sorted(texts)
