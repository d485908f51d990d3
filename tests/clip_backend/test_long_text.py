"""A long text is cut into parts that fit, at places that make sense, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.errors import InputError

pytest.importorskip("tokenizers")
from clip_grid.clip_backend.tokenizing.clip import clip_tokenizer
from clip_grid.clip_backend.tokenizing.siglip import siglip2_tokenizer, siglip_tokenizer
from clip_grid.clip_backend.tokenizing.tokenizer import chunks, split_long
from clip_grid.clip_backend.tokenizing.vocabularies import TokenFiles
from hypothesis import example, given
from hypothesis import strategies as st

from .vocabularies import TEXTS, learn_clip, learn_siglip, learn_siglip2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vocabularies")


@pytest.fixture(scope="module")
def clip(folder):
    return clip_tokenizer(TokenFiles("vocab.json", learn_clip(folder / "clip") / "vocab.json"), 12)


@pytest.fixture(scope="module")
def siglip(folder):
    return siglip_tokenizer(TokenFiles("tokenizer.json", learn_siglip(folder / "siglip") / "tokenizer.json"), 12)


@pytest.fixture(scope="module")
def siglip2(folder):
    return siglip2_tokenizer(TokenFiles("tokenizer.json", learn_siglip2(folder / "siglip2") / "tokenizer.json"), 12)


def letters(text: str) -> str:
    return "".join(text.split())


def test_a_text_that_fits_is_one_part(clip):
    assert chunks("a photo of a cat", clip) == clip.encode(["a photo of a cat"])


def test_parts_end_behind_sentences(clip):
    parts = split_long("a photo of a cat. a cat and a photo of a cat. a cat", clip)

    assert parts == ["a photo of a cat.", "a cat and a photo of a cat.", "a cat"]


def test_parts_end_behind_commas_where_a_sentence_is_too_long(clip):
    parts = split_long("a photo of a cat, a cat and a photo of a cat, a cat", clip)

    assert parts == ["a photo of a cat,", "a cat and a photo of a cat,", "a cat"]


def test_parts_end_behind_words_where_there_is_nothing_else(clip):
    assert split_long("a cat " * 8, clip) == [("a cat " * 5).strip(), ("a cat " * 3).strip()]


def test_a_sentence_mark_right_at_the_beginning_does_not_make_a_short_part(clip):
    parts = split_long("a. " + "cat " * 12, clip)

    assert parts[0] == "a. " + ("cat " * 8).strip()


def test_a_word_that_is_too_long_is_cut_between_characters(clip):
    word = "🦄🐉" * 20

    parts = split_long(word, clip)

    assert "".join(parts) == word
    assert all(not part.dropped for part in clip.encode(parts))


def test_the_weight_of_a_part_is_its_tokens(clip):
    parts = chunks("a cat " * 8, clip)

    assert [len(part.ids) - clip.marks for part in parts] == [10, 6]


@pytest.mark.parametrize("family", ["clip", "siglip", "siglip2"])
@pytest.mark.parametrize("text", TEXTS)
def test_parts_have_all_letters_and_all_fit(family, text, request):
    tokenizer = request.getfixturevalue(family)

    parts = split_long(text, tokenizer)

    assert letters("".join(parts)) == letters(text)
    assert [part.dropped for part in chunks(text, tokenizer)] == [""] * len(chunks(text, tokenizer))


@given(text=st.text(max_size=300) | st.text("ab ,.!?\n’1🦄é", max_size=300))
@example(text=" 10101010\U00010000")
def test_nothing_is_lost_of_any_text(clip, siglip2, text):
    for tokenizer in (clip, siglip2):
        parts = split_long(text, tokenizer)

        assert letters("".join(parts)) == letters(text.encode("utf-8", "replace").decode("utf-8"))
        assert all(not part.dropped for part in tokenizer.encode(parts, allow_empty=True))


def test_ten_thousand_words_are_all_in_the_parts(clip):
    words = [f"word{number}" for number in range(10_000)]

    parts = chunks(" ".join(words), clip)

    assert " ".join(part.text for part in parts).split() == words


def test_an_empty_text_has_no_parts(clip):
    with pytest.raises(InputError, match="text 0 is empty"):
        chunks("  ", clip)


def test_parts_that_a_model_does_not_read_are_left_out(siglip):
    parts = chunks("a photo of a cat and a dog " + "!?. " * 30 + "a cat", siglip)

    assert all(len(part.ids) > siglip.marks for part in parts)
