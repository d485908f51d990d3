"""The neutral captions and the noise pictures."""

from __future__ import annotations

import re
import zlib

import numpy as np
from clip_grid.clip_backend.scoring.banks import EACH, SIDE, neutral_captions, noise_pictures
from clip_grid.clip_backend.words.vocabulary import text_key

from ..fresh import answer, start

CAPTIONS = neutral_captions()
PICTURES = noise_pictures()


# captions


def test_there_are_256_captions_and_no_two_alike():
    assert len(CAPTIONS) == 256
    assert len({text_key(caption) for caption in CAPTIONS}) == 256


def test_captions_are_sentences_and_some_are_short():
    counts = np.array([len(caption.split()) for caption in CAPTIONS])

    assert 30 <= (counts <= 3).sum() <= 50
    assert ((counts <= 3) | ((counts >= 5) & (counts <= 12))).all()


def test_captions_have_no_blanks_around_them_and_are_ascii():
    assert [caption for caption in CAPTIONS if caption != caption.strip() or not caption.isascii()] == []


def test_captions_have_no_negations_and_no_plain_shapes():
    shapes = "circle|square|triangle|cross|heart|ring|diamond"

    assert [caption for caption in CAPTIONS if re.search(rf"\b(no|not|without|none|nobody|{shapes})\b", caption)] == []


def test_few_captions_name_a_colour():
    colours = re.compile(r"\b(red|orange|yellow|green|blue|purple|black|white|pink|brown|grey)\b")

    assert len([caption for caption in CAPTIONS if colours.search(caption)]) <= 5


def test_captions_have_different_subjects():
    openings = [" ".join(caption.split()[:3]) for caption in CAPTIONS if len(caption.split()) > 3]

    assert max(openings.count(one) for one in openings) <= 4


# noise pictures


def test_there_are_24_noise_pictures_of_96_pixels():
    assert len(PICTURES) == 8 * EACH == 24
    assert {(picture.shape, picture.dtype) for picture in PICTURES} == {((SIDE, SIDE, 3), np.dtype(np.uint8))}


def test_noise_pictures_differ():
    assert len({picture.tobytes() for picture in PICTURES}) == len(PICTURES)


def test_noise_pictures_are_the_same_in_another_process():
    code = (
        "import zlib; from clip_grid.clip_backend.scoring.banks import noise_pictures;"
        "print(json.dumps([zlib.crc32(one.tobytes()) for one in noise_pictures()]))"
    )

    assert answer(start(code)) == [zlib.crc32(picture.tobytes()) for picture in PICTURES]
