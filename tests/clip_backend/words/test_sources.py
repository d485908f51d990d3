"""Vocabularies of lists of labels and of the text of an option."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.words.sources import default_vocabulary, vocabulary_from_text
from clip_grid.clip_backend.words.vocabulary import vocabulary_from_labels
from clip_grid.errors import ForbiddenPath, InputError


def refused(match: str):
    return pytest.raises(InputError, match=match)


# lists of labels


def test_a_list_of_labels_is_one_facet_in_its_order():
    words = vocabulary_from_labels([" zebra ", "old  dog", "café"])

    assert words.name == "labels"
    assert [(facet.name, facet.labels) for facet in words.facets] == [("label", ("zebra", "old dog", "café"))]
    assert words.facets[0].templates == ("a photo of a {}", "{}")
    assert words.notes == ()
    assert len(words) == 3


def test_labels_can_come_with_a_name_and_templates():
    words = vocabulary_from_labels(["a", "b"], name="letters", templates=["the letter {}"])

    assert (words.name, words.facets[0].templates) == ("letters", ("the letter {}",))


def test_labels_that_differ_only_in_case_or_accent_form_count_once():
    words = vocabulary_from_labels(["Dog", "cat", "dog", "DOG", "caf\u00e9", "cafe\u0301", "last"])

    assert words.facets[0].labels == ("Dog", "cat", "caf\u00e9", "last")
    assert words.notes == ("listed more than once and taken once: Dog, caf\u00e9",)


def test_a_note_names_a_few_of_many_repeated_labels():
    words = vocabulary_from_labels([str(number) for number in range(9)] * 2)

    assert words.notes == ("listed more than once and taken once: 0, 1, 2, 3, 4 and 4 more",)


@pytest.mark.parametrize("labels", [["dog"], ["dog", "Dog"]])
def test_a_single_label_is_allowed_with_a_note(labels: list[str]):
    words = vocabulary_from_labels(labels)

    assert words.facets[0].labels == ("dog",)
    assert "only none_of_these gives it rivals" in words.notes[-1]
    assert "none_of_these" in words.notes[-1]


def test_ten_thousand_labels_are_taken():
    assert len(vocabulary_from_labels([f"thing {number}" for number in range(10_000)])) == 10_000


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "no labels were given"),
        (["a", "  ", "b"], "label 2 of 3 is empty"),
        (["a", "b", None], "label 3 of 3 is None; a label must be a text"),
        ("dog, cat", "the labels are the text 'dog, cat'; give a list of texts"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_by_place(labels: list[str], message: str):
    with refused(message):
        vocabulary_from_labels(labels)


# the text of an option


def test_an_empty_text_is_the_default_vocabulary():
    assert vocabulary_from_text(" \n") is default_vocabulary()


@pytest.mark.parametrize("text", ["dog, old cat,,bird", "dog\nold cat\n\n bird\n", "dog,old cat\nbird"])
def test_labels_are_separated_by_commas_or_line_breaks(text: str):
    assert vocabulary_from_text(text).facets[0].labels == ("dog", "old cat", "bird")


def test_a_text_without_labels_is_refused():
    with refused("',' names no labels"):
        vocabulary_from_text(" , ")


def test_a_path_is_the_vocabulary_of_its_file(tmp_path: Path):
    path = tmp_path / "tiere, größe.TXT"
    path.write_text("Hund\nKatze", "utf-8")

    words = vocabulary_from_text(f" {path} ")

    assert (words.name, words.facets[0].labels) == ("tiere, größe.TXT", ("Hund", "Katze"))


@pytest.mark.parametrize("text", ["cats.txt", "cats.CSV", "my words.json", "+cats.txt"])
def test_a_path_without_a_file_is_no_label(text: str):
    with refused(f"{text.removeprefix('+')} does not exist"):
        vocabulary_from_text(text)


def test_the_caller_resolves_or_refuses_a_path(tmp_path: Path):
    (tmp_path / "cats.txt").write_text("lion\ntiger")

    def refuse(text: str) -> Path:
        raise ForbiddenPath(f"{text} lies outside")

    assert vocabulary_from_text("cats.txt", resolve=lambda text: tmp_path / text).facets[0].labels == ("lion", "tiger")
    with pytest.raises(ForbiddenPath):
        vocabulary_from_text("../cats.txt", resolve=refuse)
    assert len(vocabulary_from_text("no, path", resolve=refuse)) == 2


def test_a_plus_adds_a_file_to_the_default_vocabulary(tmp_path: Path):
    path = tmp_path / "more.txt"
    path.write_text("[Subject]\nanimal > bird > owl\nanimal > bird > kiwi\n[shop]\nsale\nstock")

    words = vocabulary_from_text(f"+ {path}")

    facets = {facet.name: facet for facet in words.facets}
    own = {facet.name: facet for facet in default_vocabulary().facets}
    assert list(facets) == [*own, "shop"]
    assert facets["subject"].labels == (*own["subject"].labels, "kiwi")
    assert facets["subject"].ancestors("kiwi") == ("bird", "animal")
    assert facets["subject"].templates == own["subject"].templates
    assert {name: facets[name] for name in own if name != "subject"} == {
        name: facet for name, facet in own.items() if name != "subject"
    }
    assert words.notes == ("listed more than once and taken once: owl",)
    assert words.name == "own words + more.txt"


def test_labels_can_be_added_without_a_file():
    assert vocabulary_from_text("+sale, stock").facets[-1].labels == ("sale", "stock")
    with refused("names no labels"):
        vocabulary_from_text("+")
