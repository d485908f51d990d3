"""Texts to features: order, batches by length, duplicates, long texts and memory, on a tower of a few lines."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.errors import InputError

from .toy_encoder import ToyPlacement, ToyText, ToyTokenizer, toy_encoder


def test_texts_become_unit_vectors_in_their_order():
    features = toy_encoder().encode_texts(["b", "aaa", "b"])

    assert features.ids == ("b", "aaa", "b")
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(features.vectors[0], features.vectors[2])
    raw = np.array([1, 98, 2, 0], np.float32)
    np.testing.assert_allclose(features.vectors[0], raw / np.linalg.norm(raw), atol=1e-6)
    assert features.dropped == ("", "", "")


def test_equal_texts_are_computed_once_and_a_second_run_computes_nothing():
    text = ToyText()
    encoder = toy_encoder(text=text)
    encoder.encode_texts(["a", "b", "a"])
    encoder.encode_texts(["b", "a"])

    assert sum(rows for rows, _ in text.shapes) == 2


def test_texts_of_a_length_go_together_and_the_numbers_are_those_of_padded_ones():
    texts = ["a" * length for length in (1, 30, 2, 31, 3)]
    trimmed, padded = ToyText(), ToyText()

    short = toy_encoder(text=trimmed, tokenizer=ToyTokenizer(64)).encode_texts(texts)
    full = toy_encoder(text=padded, tokenizer=ToyTokenizer(64)).encode_texts(texts, batch_size=1)

    assert trimmed.shapes == [(3, 5), (2, 33)]
    np.testing.assert_allclose(short.vectors, full.vectors, atol=1e-6)


def test_texts_that_may_not_be_trimmed_fill_the_context():
    text = ToyText()

    toy_encoder(text=text, tokenizer=ToyTokenizer(16, trims=False)).encode_texts(["a", "bb", "ccc"], batch_size=2)

    assert text.shapes == [(2, 16), (1, 16)]


def test_what_did_not_fit_is_told():
    features = toy_encoder().encode_texts(["short", "abcdefghIJKL"])

    assert features.dropped == ("", "IJKL")


def test_the_mean_of_parts_is_weighed_by_their_tokens():
    encoder = toy_encoder()

    whole = encoder.encode_texts("aaaaaaaabbb", long_text="mean")
    parts = encoder.encode_texts(["aaaaaaaa", "bbb"]).vectors

    mean = (8 * parts[0] + 3 * parts[1]) / 11
    np.testing.assert_allclose(whole.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert whole.dropped == ("",)


def test_the_largest_of_parts_is_taken_place_by_place():
    encoder = toy_encoder()

    whole = encoder.encode_texts("aaaaaaaabbb", long_text="max")
    parts = encoder.encode_texts(["aaaaaaaa", "bbb"]).vectors

    largest = np.maximum(parts[0], parts[1])
    np.testing.assert_allclose(whole.vectors[0], largest / np.linalg.norm(largest), atol=1e-6)


@pytest.mark.parametrize("way", ["mean", "max"])
def test_a_text_that_fits_is_the_same_in_every_way(way):
    encoder = toy_encoder()

    np.testing.assert_array_equal(
        encoder.encode_texts("abc", long_text=way).vectors, encoder.encode_texts("abc").vectors
    )


def test_a_text_of_many_thousand_words_is_encoded_whole():
    features = toy_encoder().encode_texts("some words " * 5000, long_text="mean")

    assert features.dropped == ("",)
    assert len(features) == 1


def test_an_unknown_way_for_long_texts_is_refused():
    with pytest.raises(InputError, match=r"long_text is 'cut'.*truncate, mean, max"):
        toy_encoder().encode_texts("a", long_text="cut")


def test_no_texts_and_empty_texts_are_refused():
    with pytest.raises(InputError, match="no texts"):
        toy_encoder().encode_texts([])
    with pytest.raises(InputError, match="text 1 is empty"):
        toy_encoder().encode_texts(["a", ""])


def test_memory_that_runs_out_halves_the_batches_of_texts():
    text = ToyText()

    features = toy_encoder(text=text, placement=ToyPlacement(capacity=2)).encode_texts(list("abcde"), batch_size=5)

    assert [rows for rows, _ in text.shapes] == [2, 2, 1]
    assert len(features) == 5


def test_progress_of_texts_may_stop_the_run():
    def progress(done, total):
        raise KeyboardInterrupt

    text = ToyText()
    with pytest.raises(KeyboardInterrupt):
        toy_encoder(text=text).encode_texts(list("abcdef"), batch_size=2, progress=progress)
    assert len(text.shapes) == 1


def test_texts_too_large_for_fp16_are_computed_in_fp32_from_then_on():
    half, exact = ToyText(breaks_above=300), ToyText()
    encoder = toy_encoder(text=half, text_in_fp32=exact, dtype="fp16")

    features = encoder.encode_texts(["ab", "zzzz", "b"])

    np.testing.assert_array_equal(features.vectors, toy_encoder().encode_texts(["ab", "zzzz", "b"]).vectors)
    assert [shape[0] for shape in half.shapes] == [3] and [shape[0] for shape in exact.shapes] == [1]
    assert "computes in fp32 from now on" in features.notes[0]
    encoder.encode_texts(["zzzz", "yyyy"])
    assert [shape[0] for shape in exact.shapes] == [1, 1] and len(half.shapes) == 1


@pytest.mark.parametrize(("dtype", "cure"), [("fp16", "choose dtype='fp32'"), ("fp32", "its file is damaged")])
def test_a_text_whose_numbers_are_not_finite_is_named_with_the_cure_and_not_cached(dtype, cure):
    encoder = toy_encoder(text=ToyText(breaks_above=300), dtype=dtype)

    for _ in range(2):
        with pytest.raises(InputError, match=rf"text 'zzzz' are not finite; {cure}"):
            encoder.encode_texts(["ab", "zzzz"])


class WholeText(ToyText):
    """The padding counts too, as in a text encoder that is not causal."""

    def __call__(self, ids, ends):
        return super().__call__(ids, torch.full_like(ends, ids.shape[1] - 1))


@pytest.mark.parametrize(("option", "value"), [("pad_id", 7), ("context", 12), ("trims", True)])
def test_padding_that_may_change_embeddings_is_part_of_their_key(option, value):
    cache = EmbeddingCache()
    before, other = ToyTokenizer(10, trims=False), ToyTokenizer(10, trims=False)
    setattr(other, option, value)
    texts = ["a", "b c"]

    given = toy_encoder(text=WholeText(), tokenizer=before, cache=cache).encode_texts(texts).vectors
    padded = toy_encoder(text=WholeText(), tokenizer=other, cache=cache).encode_texts(texts).vectors

    assert (cache.hits, cache.misses) == (0, 4)
    assert np.array_equal(padded, given) == (option != "pad_id")
    toy_encoder(text=WholeText(), tokenizer=other, cache=cache).encode_texts(texts)
    assert (cache.hits, cache.misses) == (2, 4)


def test_a_tokenizer_that_cuts_or_cleans_in_another_way_finds_no_wrong_row():
    cache = EmbeddingCache()
    toy_encoder(tokenizer=ToyTokenizer(10), cache=cache).encode_texts(["Cat", "a long text that is cut"])

    class LowerCase(ToyTokenizer):
        def encode(self, texts, **options):
            return super().encode([text.lower() for text in texts], **options)

    lower = toy_encoder(tokenizer=LowerCase(10), cache=cache).encode_texts(["Cat"])
    longer = toy_encoder(tokenizer=ToyTokenizer(20), cache=cache).encode_texts(["a long text that is cut"])

    assert cache.hits == 0
    assert np.array_equal(lower.vectors, toy_encoder().encode_texts(["cat"]).vectors)
    assert np.array_equal(
        longer.vectors, toy_encoder(tokenizer=ToyTokenizer(20)).encode_texts(["a long text that is cut"]).vectors
    )
