"""Prompts lose their syntax, plain captions keep every character, and what was left out is told."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.texts import plain_text, plain_texts
from clip_grid.errors import InputError
from hypothesis import given, strategies

from .vector_encoder import VectorEncoder, text_at

CAPTIONS = [
    "a plain text, 16:9 -- with  spaces",
    # signs of comparison, hearts, addresses and markup are no tags
    "a graph where x < 5 and y > 3",
    "<3 hearts",
    "a <b>bold</b> word and <http://example.org:8>",
    # ratios, times, verses and scales are no weights
    "(16:9) frame",
    "(aspect 16:9) frame",
    "a clock at (10:30)",
    "a page of (John 3:16)",
    "a map (scale 1:100)",
    "a bracket (1:2.5) in a drawing",
    "a final (score 3:2)",
    "ratio [4:3]",
    "[10:30] chat",
    "[00:01:23] a speaker",
    "[Alice:10:30] hello",
    "[citation:12] in an article",
    # a number after a space is that of a list or a table
    "a diagram (figure: 2)",
    "a bar chart (ratio: 1.5)",
    "a banner (width:1200)",
    "{x:1, y:2}",
    "a happy cat (so cute :3)",
    "at 10:30 (morning)",
    "cat(black)",
    "[draft] logo",
    "f(x) = {1, 2}",
    "f((x)) = ((x + 1))",
    "a {red} sign",
    "a {red|blue} sign",
    "hello {{name}}, welcome",
    "a [[link]] on a page",
    "(masterpiece) by a painter",
    "¯\\_(ツ)_/¯",
    "(cat:1.2",
    "cat:1.2)",
    "cat:1.2",
    # names of what is syntax elsewhere
    "word embedding: a survey",
    "a drawing of a <lora>",
    "daBREAKfast AND night",
    "BREAK",
    "a sign that says BREAK",
    "a sign that says BREAK on a wall",
    'a sign with "BREAK" on it',
    "a COFFEE BREAK sign",
    "BREAK GLASS in case of fire",
    "a red BREAK button",
    "",
]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_caption_without_prompt_syntax_keeps_every_character(caption):
    assert plain_text(caption) == caption
    assert plain_texts([caption or "a"], prompt_syntax=True).notes == ()


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("(cat:1.2)", "cat"),
        ("a (red:1.2) cat, (blurry:-1), (sharp:.5), (big:2)", "a red cat, blurry, sharp, big"),
        ("(score_9:1.1), (1girl:1.2), (8k:0.9)", "score_9, 1girl, 8k"),
        ("(masterpiece, best quality, (blue eyes:1.1):1.3), girl", "masterpiece, best quality, blue eyes, girl"),
        ("(café 😀:0.9)\n(next line: 1)", "café 😀\nnext line"),
        ("cat(black:1.2), (red :1.2)hair", "cat black, red hair"),
        ("[cat:dog:0.5] on [mat:.3]", "dog on mat"),
        ("[(cat:1.2):dog:12] on a mat", "dog on a mat"),
        ("[cat::0.5] tree", "tree"),
        ("a cat <lora:fur:0.8><hypernet:x> <lyco:a b:1>", "a cat"),
        ("cat<lora:fur:1>dog", "cat dog"),
        ("(embedding:bad-hands:1.1), tree, EMBEDDING:neg", "tree"),
        ("embedding:neg:1.2, tree", "tree"),
        ("day BREAK night", "day, night"),
        ("a girl, 8K BREAK a dog\nBREAK\na hat", "a girl, 8K, a dog\na hat"),
        (r"a cat \(animal\) \[x\]", "a cat (animal) [x]"),
        ("((masterpiece)), girl", "masterpiece, girl"),
        ("a ((red)) cat", "a red cat"),
        ("{{{best quality}}}, [[blurry]], girl", "best quality, blurry, girl"),
        ("<lora:x:1>", ""),
    ],
)
def test_prompt_syntax_is_left_out(prompt, text):
    assert plain_text(prompt) == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("((a (red:1.2) cat)), [hat], {best}", "a red cat, hat, best"),
        ("(masterpiece), girl, <lora:fur:1>", "masterpiece, girl"),
        ("(cat: 1.2), (dog:1.1), [mat:10], {tree:1}", "cat, dog, mat, tree"),
        # these are no emphasis in a prompt either
        ("(16:9) frame, (cat:1.2)", "(16:9) frame, cat"),
        ("f(x) = {1, 2}, (cat:1.2)", "f(x) = {1, 2}, cat"),
        ("a [0, 1) interval, x < 5, (cat:1.2)", "a [0, 1) interval, x < 5, cat"),
        ("cat(black), <lora:fur:1>", "cat(black)"),
        ("a smile :) ;( <lora:fur:1>", "a smile :) ;("),
        ("a COFFEE BREAK sign, <lora:fur:1> BREAK", "a COFFEE BREAK sign"),
    ],
)
def test_emphasis_is_read_beside_other_syntax_where_it_is_emphasis(prompt, text):
    assert plain_text(prompt) == text


@given(strategies.text(strategies.sampled_from("ab,.:[](){}<>\\ \n1|")))
def test_every_word_of_a_text_outside_switches_remains(text):
    plain = plain_text(text)

    assert plain == text or plain == plain.strip(" ,")
    if "[" not in text and "\\" not in text:
        assert sorted(letter for letter in plain if letter in "ab") == sorted(set_of(text, "ab"))


def set_of(text, letters):
    return [letter for letter in text if letter in letters]


@pytest.mark.parametrize(
    "prompt",
    [
        "(a:" + 50_000 * "1",
        50_000 * "(",
        50_000 * "<",
        50_000 * "[:",
        "a" + 50_000 * " " + "(b)",
        25_000 * "(" + "a" + 25_000 * ")",
        9000 * "<lora:",
        9000 * "BREAK ",
        20_000 * "[" + "a:b:1" + 20_000 * "]",
    ],
)
def test_a_prompt_of_one_thing_over_and_over_is_read_at_once(prompt):
    assert len(plain_text(prompt)) <= len(prompt)


def test_what_was_left_out_of_how_many_texts_is_told():
    plain = plain_texts(["(cat:1.2), [hat]", "a dog", "<lora:fur:0.7> a\n(cat:1.2), ((fur))"], prompt_syntax=True)

    assert plain.texts == ("cat, hat", "a dog", "a\ncat, fur")
    assert plain.notes == (
        "prompt syntax was left out of 2 of 3 texts: (cat:1.2), [hat], <lora:fur:0.7> and 1 more; switch prompt_syntax "
        "off to read texts as they stand",
    )


def test_a_long_part_that_was_left_out_is_told_shortened():
    plain = plain_texts([f"({30 * 'cat '}:1.2)"], prompt_syntax=True)

    assert f"left out of the text: ({9 * 'cat '}ca…; switch" in plain.notes[0]


def test_texts_are_unchanged_where_prompt_syntax_is_off():
    plain = plain_texts(["(cat:1.2)"], prompt_syntax=False)

    assert (plain.texts, plain.notes) == (("(cat:1.2)",), ())


def test_prompts_are_matched_without_their_syntax_and_shown_as_they_were_given():
    encoder = VectorEncoder({"a cat": text_at(0.3)})
    prompt = "(a cat:1.3) <lora:fur:0.7>"

    found = match_pictures(encoder, ["cat.png"], [prompt])

    assert (found.results[0].text, found.results[0].cosine) == (prompt, pytest.approx(0.3))
    assert "prompt syntax was left out of the text: (a cat:1.3), <lora:fur:0.7>" in found.notes[0]
    with pytest.raises(KeyError):
        match_pictures(encoder, ["cat.png"], [prompt], options=MatchOptions(prompt_syntax=False))


def test_a_text_that_holds_nothing_but_prompt_syntax_is_refused_before_a_picture_is_read():
    encoder = VectorEncoder({"a cat": text_at(0.3)})

    with pytest.raises(InputError, match=r"text 2 .*nothing but prompt syntax"):
        match_pictures(encoder, ["cat.png"], ["a cat", "<lora:cat:1>, BREAK"])
    assert encoder.seen == []
