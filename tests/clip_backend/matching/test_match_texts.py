from __future__ import annotations

import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.errors import InputError

from .vector_encoder import VectorEncoder, text_at


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no texts were given"),
        ("", "the text is empty"),
        (["a cat", " \n"], "text 2 of 2 is empty"),
        (["a cat", None], "text 2 of 2 is a NoneType"),
        (["a cat", float("nan")], "text 2 of 2 is a float"),
        (7, "texts are a int"),
    ],
)
def test_texts_that_ask_for_nothing_are_refused_before_a_picture_is_read(texts, message):
    encoder = VectorEncoder({"a cat": text_at(0.3)})

    with pytest.raises(InputError, match=message):
        match_pictures(encoder, ["cat.png"], texts)
    assert encoder.seen == []


def test_a_string_alone_is_one_text():
    found = match_pictures(VectorEncoder({"a cat": text_at(0.3)}), "cat.png", "a cat")

    assert [one.text for one in found.results] == ["a cat"]


def test_a_template_goes_around_texts_phrases_and_captions_alike():
    class Framed(VectorEncoder):
        def encode_texts(self, texts, **given):
            assert all(text.startswith("A photo depicts ") for text in texts)
            bare = [text.removeprefix("A photo depicts ") for text in texts]
            return super().encode_texts(bare, **given)

    encoder = Framed({"a cat, a hat": text_at(0.3), "a cat": text_at(0.3), "a hat": text_at(0.3)})

    found = match_pictures(
        encoder, ["cat.png"], ["a cat, a hat"], options=MatchOptions(template="A photo depicts {}")
    ).results[0]

    assert found.text == "a cat, a hat"
    assert [phrase.text for phrase in found.phrases] == ["a cat", "a hat"]


def test_a_template_without_a_place_for_the_text_is_refused():
    with pytest.raises(InputError, match="'A photo'"):
        match_pictures(VectorEncoder(), ["cat.png"], ["a cat"], options=MatchOptions(template="A photo"))


def test_what_is_not_read_of_a_text_is_told():
    texts = {"a cat": text_at(0.3), "a long tale": text_at(0.2)}
    encoder = VectorEncoder(texts, dropped={"a long tale": "tale"})

    cut = match_pictures(encoder, ["cat.png"], [*texts], options=MatchOptions(long_text="truncate"))
    mean = match_pictures(encoder, ["cat.png"], [*texts])

    assert [one.dropped for one in cut.results] == ["", "tale"]
    assert "the end of 1 of 2 texts was not read" in cut.notes[0]
    assert [one.dropped for one in mean.results] == ["", ""]
    assert mean.notes == ()


def test_each_text_of_equal_ones_has_its_own_result():
    found = match_pictures(VectorEncoder({"a cat": text_at(0.3)}), ["cat.png"], ["a cat", "a cat"]).results

    assert [one.text_index for one in found] == [0, 1]
    assert found[0].cosine == found[1].cosine
