"""An encoder of both: towers are built when needed, and what is missing is named."""

from __future__ import annotations

import threading

import pytest

torch = pytest.importorskip("torch")
from clip_grid.errors import InputError
from PIL import Image

from .toy_encoder import toy_encoder


def picture(level, size=(4, 4)):
    return Image.new("RGB", size, (level, 2 * level % 256, 255 - level))


def test_an_encoder_without_a_vision_tower_says_so():
    with pytest.raises(InputError, match="no vision tower"):
        toy_encoder(vision=False).encode_images(picture(1))


def test_an_encoder_without_a_text_tower_says_so():
    with pytest.raises(InputError, match=r"cannot encode texts.*text_encoder"):
        toy_encoder(text=False).encode_texts("a")


def test_pictures_and_texts_of_one_encoder_compare():
    encoder = toy_encoder()

    cosines = encoder.encode_images([picture(1), picture(2)]).to_features().similarity(encoder.encode_texts(["a"]))

    assert cosines.shape == (2, 1)


def test_a_tower_is_built_when_it_is_first_needed():
    def never():
        raise AssertionError("built")

    encoder = toy_encoder()
    encoder._text = never

    assert len(encoder.encode_images(picture(1))) == 1


def test_a_tower_that_two_threads_need_at_once_is_built_once():
    encoder = toy_encoder()
    build, built = encoder._vision, []

    def slowly():
        built.append(1)
        threading.Event().wait(0.1)  # long enough for the other to come
        return build()

    encoder._vision = slowly
    rows = []
    threads = [threading.Thread(target=lambda: rows.append(encoder.encode_images(picture(1)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(rows), len(built)) == (2, 1)
