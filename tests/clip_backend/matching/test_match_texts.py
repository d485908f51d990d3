from __future__ import annotations

import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.texts import plain_text
from clip_grid.errors import InputError
from hypothesis import given, strategies

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
        (["a cat", "<lora:cat:1>, BREAK"], "text 2 .*nothing but prompt syntax"),
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


def test_prompts_are_read_without_their_syntax_and_told_as_they_were_given():
    encoder = VectorEncoder({"a cat": text_at(0.3)})
    prompt = "(a cat:1.3) <lora:fur:0.7>"

    plain = match_pictures(encoder, ["cat.png"], [prompt]).results[0]

    assert (plain.text, plain.cosine) == (prompt, pytest.approx(0.3))
    with pytest.raises(KeyError):
        match_pictures(encoder, ["cat.png"], [prompt], options=MatchOptions(prompt_syntax=False))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a plain text, 16:9 -- with  spaces", "a plain text, 16:9 -- with  spaces"),
        ("((a (red:1.2) cat)), [hat], {best}", "a red cat, hat, best"),
        ("a cat <lora:fur:0.8><hypernet:x>", "a cat"),
        ("(embedding:bad-hands:1.1), tree, EMBEDDING:neg", "tree"),
        ("day BREAK night", "day, night"),
        ("daBREAKfast AND night", "daBREAKfast AND night"),
        (r"a cat \(animal\) \[x\]", "a cat (animal) [x]"),
        ("[cat:dog:0.5] on [mat:.3]", "dog on mat"),
        ("(café 😀:0.9)\n(next line: 1)", "café 😀\nnext line"),
        ("<lora:x:1>", ""),
        ("", ""),
    ],
)
def test_prompt_syntax_is_left_out_and_plain_text_is_kept(prompt, text):
    assert plain_text(prompt) == text


@given(strategies.text(strategies.sampled_from("ab,.:[](){}<>\\ \n1|")))
def test_every_prompt_has_a_plain_text_without_brackets_that_were_not_escaped(prompt):
    plain = plain_text(prompt)

    assert plain == prompt or plain == plain.strip(" ,")
    assert "\\" in prompt or not set("()[]{}") & set(plain)


@pytest.mark.parametrize(
    "prompt", ["(a:" + 50_000 * "1", 50_000 * "(", 50_000 * "<", 50_000 * "[:", "a" + 50_000 * " " + "(b)"]
)
def test_a_prompt_of_one_thing_over_and_over_is_read_at_once(prompt):
    assert len(plain_text(prompt)) <= len(prompt)


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
