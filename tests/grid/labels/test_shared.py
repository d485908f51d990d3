"""Long texts leave out what they share, and show the words in which they differ."""

from __future__ import annotations

from clip_grid.grid.labels.shared import labels_without_shared, without_shared

START = "cinematic photo of a lighthouse keeper on a rocky shore at dusk, shot on"
END = "award winning, masterpiece"


def test_the_words_that_differ_are_left_and_the_rest_is_told_once():
    texts, shared = without_shared([f"{START} {film}, {END}" for film in ("Kodak Portra 400", "Polaroid")])

    assert texts == ["… Kodak Portra 400 …", "… Polaroid …"]
    assert shared == f"{START} … {END}"


def test_words_that_differ_in_two_places_are_both_shown():
    texts, shared = without_shared(
        [f"a {animal} sitting on an old wooden table in the {place} with soft light" for animal, place in
         (("cat", "garden"), ("dog", "kitchen"))]
    )  # fmt: skip

    assert texts == ["a cat … garden …", "a dog … kitchen …"]
    assert shared == "a … sitting on an old wooden table in the … with soft light"


def test_short_texts_and_texts_with_little_in_common_stay():
    for texts in (["euler a", "euler b"], ["a quiet sea under a large red moon " + x * 20 for x in "ab"][:1], []):
        assert without_shared(texts) == (texts, "")
    different = ["a small planet over a quiet sea, soft light", "portrait of a woman with grey hair, studio photo"]
    assert without_shared(different) == (different, "")


def test_a_text_that_has_nothing_of_its_own_is_shown_whole():
    texts, _ = without_shared([f"{START} film", f"{START} film in the rain"])

    assert texts == [f"{START} film", "… in the rain"]


def test_texts_that_could_not_be_told_apart_stay():
    texts = [f"{START} a b", f"{START}  a b"]

    assert without_shared(texts) == (texts, "")


def test_equal_texts_stay_equal():
    texts = [f"{START} one", f"{START} two", f"{START} one"]

    assert without_shared(texts)[0] == ["… one", "… two", "… one"]


def test_of_very_many_texts_beginning_and_end_are_left_out():
    texts, shared = without_shared([f"{START} {number} {END}" for number in range(1000)])

    assert texts[:2] == ["… 0 …", "… 1 …"] and len(set(texts)) == 1000
    assert shared == f"{START} … {END}"


def test_labels_keep_the_name_of_their_column_and_their_other_lines():
    labels = [f"prompt: {START} {film}\nseed: {seed}" for film, seed in (("Polaroid", 1), ("Kodak", 2))]

    assert labels_without_shared([*labels, ""]) == ["prompt: … Polaroid\nseed: 1", "prompt: … Kodak\nseed: 2", ""]
    assert labels_without_shared(["a.png", "b.png"]) == ["a.png", "b.png"]
    assert labels_without_shared([f"{labels[0]}\nmore", labels[1]]) == [f"{labels[0]}\nmore", labels[1]]
