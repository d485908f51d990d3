"""The bank of unrelated texts: its texts, which of them a text is compared with, and how."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest
from clip_grid.clip_backend.scoring import scales
from clip_grid.clip_backend.scoring.scales import bank, deviations, encoded_bank, length_class, percentiles, z_scores
from clip_grid.clip_backend.words.vocabulary import text_key

from ..matching.vector_encoder import VectorEncoder, bank_at

NOUNS, CAPTIONS = bank().nouns, bank().captions
EVERY = (*NOUNS.values(), *CAPTIONS)


def test_there_are_64_short_texts_and_128_captions_and_no_two_alike():
    assert (len(NOUNS), len(CAPTIONS), bank().version) == (64, 128, 1)
    assert len({text_key(text) for text in EVERY}) == 192


def test_half_of_the_short_texts_are_photos_a_quarter_bare_nouns_and_a_quarter_have_an_adjective():
    photos = [text for text in NOUNS.values() if text.startswith("a photo of a")]
    bare = [text for noun, text in NOUNS.items() if text == noun]

    assert (len(photos), len(bare)) == (32, 16)
    assert all(text.split()[-1] == noun for noun, text in NOUNS.items())


def test_each_text_is_of_the_length_of_its_bank():
    assert {length_class(text) for text in NOUNS.values()} == {"short"}
    assert {length_class(text) for text in CAPTIONS} == {"long"}
    assert max(len(caption.split()) for caption in CAPTIONS) <= 12


def test_a_quarter_of_the_captions_show_people_and_a_seventh_is_drawn_painted_or_rendered():
    people = re.compile(
        r"\b(man|woman|boy|girl|couple|brothers|people|group|nurse|merchant|bride|musician|rider|player|runner|skier|"
        r"surfer|climber|men|farmer|person|fisherman|worker|teacher|barber|children|friends|daughter|teenager|child|"
        r"grandmother|baker|dancer)\b"
    )
    made = re.compile(
        r"\b(sketch|portrait|watercolour|render|drawing|painting|diagram|illustration|cartoon|manuscript|woodcut|map|"
        r"model|pixel art)\b"
    )

    assert len([one for one in CAPTIONS if people.search(one)]) == pytest.approx(32, abs=4)
    assert len([one for one in CAPTIONS if made.search(one)]) == pytest.approx(19, abs=5)


def test_no_text_negates_or_counts_or_names_the_shapes_of_the_bundled_model():
    shapes = "circle|square|triangle|cross|heart|ring|diamond"

    assert [text for text in EVERY if re.search(rf"\b(no|not|without|none|nobody|{shapes})\b", text)] == []
    assert all(text == text.strip() and text.isascii() for text in EVERY)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("cat", "short"),
        ("a photo of a red car", "short"),
        ("a photo of a small red car", "long"),
        ("one, two, three, four, five, six!", "short"),
        ("a black-and-white cat in a tree", "short"),
        ("it's the dog's red ball today", "short"),
        ("一只猫", "short"),
        ("一只黑色的猫坐在红色的沙发上", "long"),
        ("...", "short"),
    ],
)
def test_a_text_up_to_six_words_is_short(text, length):
    assert length_class(text) == length


def test_z_is_the_distance_from_the_mean_in_standard_deviations():
    rng = np.random.default_rng(0)
    cosines, beside = rng.normal(0.2, 0.05, (5, 7)), rng.normal(0.15, 0.03, (5, 64))
    expected = [(row - own.mean()) / own.std() for row, own in zip(cosines, beside, strict=True)]

    found = z_scores(cosines.astype(np.float32), beside.astype(np.float32))

    assert (found.dtype, found.shape) == (np.float32, (5, 7))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_bank_texts_that_are_all_alike_give_no_great_z():
    beside = np.full((1, 64), 0.2, np.float32)

    assert deviations(beside) == pytest.approx(0.005)
    assert z_scores(np.float32([[0.21]]), beside) == pytest.approx(2, abs=1e-3)


def test_a_percentile_is_the_share_of_bank_texts_that_fit_worse():
    rng = np.random.default_rng(3)
    cosines, beside = rng.integers(0, 9, (5, 7)) / 10, rng.integers(0, 9, (5, 128)) / 10  # with ties
    expected = [
        [np.mean((beside[row] < one) + 0.5 * (beside[row] == one)) * 100 for one in cosines[row]] for row in range(5)
    ]

    found = percentiles(cosines.astype(np.float32), beside.astype(np.float32))

    assert (found.dtype, found.shape) == (np.float32, (5, 7))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_percentiles_reach_from_0_to_100():
    beside = np.linspace(-0.1, 0.3, 128, dtype=np.float32)[None]

    np.testing.assert_array_equal(percentiles(np.float32([[-1, 0.1, 1]]), beside), [[0, 50, 100]])


def test_percentiles_of_no_pictures_or_no_texts_are_none():
    beside = np.zeros((2, 128), np.float32)

    assert percentiles(np.zeros((2, 0), np.float32), beside).shape == (2, 0)
    assert percentiles(np.zeros((0, 3), np.float32), beside[:0]).shape == (0, 3)


class Counting(VectorEncoder):
    """Remembers every text that was encoded."""

    def encode_texts(self, texts, **options):
        self.encoded = [*getattr(self, "encoded", []), *texts]
        self.options = options
        plain = [text.removeprefix("a sign: ") for text in texts]
        return super().encode_texts(plain, **options)


def test_the_bank_is_encoded_once_for_an_encoder_and_a_template():
    encoder = Counting(bank=bank_at(0.1, 0.05))

    first, again = encoded_bank(encoder), encoded_bank(encoder)
    assert first is again
    assert encoder.encoded == [*EVERY]

    encoded_bank(encoder, template="a sign: {}", long_text="mean")
    assert encoder.encoded[192:] == [f"a sign: {text}" for text in EVERY]
    assert encoder.options["long_text"] == "mean"


def test_the_bank_of_an_encoder_is_gone_with_it():
    encoder = Counting()
    encoded_bank(encoder)
    kept = len(scales._encoded)

    del encoder
    gc.collect()

    assert len(scales._encoded) < kept
