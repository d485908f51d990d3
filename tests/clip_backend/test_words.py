"""Facets and vocabularies, labels that are given, and the one line of text that stands for a vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.words.find import find_vocabulary, given_labels, own_vocabulary
from clip_grid.clip_backend.words.vocabulary import Entry, Facet, Vocabulary, build_vocabulary, join
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.options import check_templates

ANIMALS = {"dog": "pet", "pet": "animal", "owl": "animal"}


def refused(match: str):
    return pytest.raises(InputError, match=match)


# facets


def test_a_label_knows_everything_above_it():
    facet = Facet(name="f", labels=("dog", "owl", "fire"), parents=ANIMALS)

    assert facet.above("dog") == ("pet", "animal")
    assert facet.above("owl") == ("animal",)
    assert facet.above("fire") == ()


def test_a_label_that_is_a_kind_of_itself_is_refused():
    with refused("in the facet 'f', 'dog' is a kind of itself; take a parent out"):
        Facet(name="f", labels=("dog",), parents=ANIMALS | {"animal": "dog"})


@pytest.mark.parametrize(
    ("labels", "says"),
    [((), "'f' has no labels"), (("a", " "), "'f' holds an empty label"), (("a", "b", "a"), "'f' holds 'a' twice")],
)
def test_a_facet_needs_labels_that_differ(labels: tuple[str, ...], says: str):
    with refused(says):
        Facet(name="f", labels=labels)


@pytest.mark.parametrize("template", ["a photo", "{} and {}", ""])
def test_a_template_has_one_place_for_the_label(template: str):
    with refused("must hold {} once"):
        check_templates(["{}", template])


def test_no_templates_at_all_are_refused():
    with refused("there are no templates"):
        Facet(name="f", labels=("a",), templates=())


def test_a_vocabulary_needs_facets_that_differ():
    facet = Facet(name="f", labels=("a",))

    with refused("the vocabulary v has no labels"):
        Vocabulary(name="v", facets=())
    with refused("two facets of one name among f, f"):
        Vocabulary(name="v", facets=(facet, facet))


def test_the_same_words_can_stand_in_other_sentences():
    words = given_labels(["dog", "cat"])

    assert words.with_templates(["a photo of {}"]).facets[0].templates == ("a photo of {}",)
    assert words.with_templates([]) is words


# labels that are given


def test_given_labels_are_one_facet_in_their_order():
    words = given_labels([" zebra ", "old  dog", "café"])

    assert words.name == "labels"
    assert [(facet.name, facet.labels) for facet in words.facets] == [("label", ("zebra", "old dog", "café"))]
    assert words.facets[0].templates == ("{}",)
    assert words.notes == ()
    assert len(words) == 3


def test_labels_can_come_with_a_name_and_templates():
    words = given_labels(["a", "b"], name="letters", templates=["the letter {}"])

    assert (words.name, words.facets[0].templates) == ("letters", ("the letter {}",))


def test_labels_that_a_model_reads_alike_count_once():
    words = given_labels(["Dog", "cat", "dog", "DOG", "caf\u00e9", "cafe\u0301", "last"])

    assert words.facets[0].labels == ("Dog", "cat", "caf\u00e9", "last")
    assert words.notes == ("listed more than once and taken once: Dog, caf\u00e9",)


def test_a_note_names_a_few_of_many_repeated_labels():
    words = given_labels([str(number) for number in range(9)] * 2)

    assert words.notes == ("listed more than once and taken once: 0, 1, 2, 3, 4 and 4 more",)


@pytest.mark.parametrize("labels", [["dog"], ["dog", "Dog"]])
def test_one_label_is_allowed_and_said_to_tell_little(labels: list[str]):
    words = given_labels(labels)

    assert words.facets[0].labels == ("dog",)
    assert "only none_of_these gives it rivals" in words.notes[-1]
    assert "none_of_these" in words.notes[-1]


def test_ten_thousand_labels_are_taken():
    assert len(given_labels([f"thing {number}" for number in range(10_000)])) == 10_000


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "no labels were given"),
        (["a", "  ", "b"], "label 2 of 3 is empty"),
        (["a", "b", None], "label 3 of 3 is None; a label must be a text"),
        ("dog, cat", "the labels are the text 'dog, cat'; give a list of texts"),
    ],
)
def test_labels_that_are_none_are_refused_by_place(labels: list[str], says: str):
    with refused(says):
        given_labels(labels)


# entries


def test_entries_of_one_facet_need_not_stand_together():
    words = build_vocabulary("v", [Entry(label="a", facet="x"), Entry(label="b"), Entry(label="c", facet="X ")])

    assert [(facet.name, facet.labels) for facet in words.facets] == [("x", ("a", "c")), ("label", ("b",))]


def test_a_label_under_two_parents_stays_under_the_first():
    words = build_vocabulary("v", [Entry(label="bat", above=("animal",)), Entry(label="bat", above=("tool",))])

    assert words.facets[0].parents == {"bat": "animal"}
    assert words.notes[1] == "listed under two parents, of which the first counts: bat"


def test_a_label_under_its_own_name_stands_for_the_group():
    words = build_vocabulary("v", [Entry(label=one, above=("animal", "Bird")) for one in ("bird", "owl")])

    assert words.facets[0].labels == ("Bird", "owl")
    assert words.facets[0].parents == {"owl": "Bird", "Bird": "animal"}


def test_joined_vocabularies_keep_parents_and_the_sentences_that_one_has():
    first = Facet(name="x", labels=("a",), parents={"a": "p", "p": "q"}, templates=("an {}",))
    second = (Facet(name="X", labels=("A", "b")), Facet(name="y", labels=("c", "d"), templates=("the {}",)))

    both = join(Vocabulary(name="one", facets=(first,)), Vocabulary(name="two", facets=second))

    assert both.name == "one + two"
    assert [facet.labels for facet in both.facets] == [("a", "b"), ("c", "d")]
    assert [facet.templates for facet in both.facets] == [("an {}",), ("the {}",)]
    assert both.facets[0].parents == {"a": "p", "p": "q"}
    assert both.notes == ("listed more than once and taken once: a",)


def test_joining_keeps_the_notes_that_still_hold():
    one = build_vocabulary(
        "one", [Entry(label="a", facet="x"), Entry(label="A", facet="x"), Entry(label="q", facet="y")]
    )
    two = build_vocabulary("two", [Entry(label="b", facet="x")])

    notes = join(one, two).notes

    assert [note[:30] for note in notes] == ["listed more than once and take", "the facet 'y' has one label; i"]


# one line of text


def test_no_text_means_the_own_words():
    assert find_vocabulary(" \n") is own_vocabulary()


@pytest.mark.parametrize("text", ["dog, old cat,,bird", "dog\nold cat\n\n bird\n", "dog,old cat\nbird"])
def test_words_are_separated_by_commas_or_line_breaks(text: str):
    assert find_vocabulary(text).facets[0].labels == ("dog", "old cat", "bird")


def test_text_without_words_is_refused():
    with refused("',' names no labels"):
        find_vocabulary(" , ")


def test_a_path_means_the_words_of_its_file(tmp_path: Path):
    path = tmp_path / "tiere, größe.TXT"
    path.write_text("Hund\nKatze", "utf-8")

    words = find_vocabulary(f" {path} ")

    assert (words.name, words.facets[0].labels) == ("tiere, größe.TXT", ("Hund", "Katze"))


@pytest.mark.parametrize("text", ["cats.txt", "cats.CSV", "my words.json", "+cats.txt"])
def test_a_path_without_a_file_is_no_label(text: str):
    with refused(f"{text.removeprefix('+')}: there is no such file"):
        find_vocabulary(text)


def test_the_host_decides_where_a_path_leads(tmp_path: Path):
    (tmp_path / "cats.txt").write_text("lion\ntiger")

    def refuse(text: str) -> Path:
        raise ForbiddenPath(f"{text} lies outside")

    assert find_vocabulary("cats.txt", find=lambda text: tmp_path / text).facets[0].labels == ("lion", "tiger")
    with pytest.raises(ForbiddenPath):
        find_vocabulary("../cats.txt", find=refuse)
    assert len(find_vocabulary("no, path", find=refuse)) == 2


def test_a_plus_adds_to_the_own_words(tmp_path: Path):
    path = tmp_path / "more.txt"
    path.write_text("[Subject]\nanimal > bird > owl\nanimal > bird > kiwi\n[shop]\nsale\nstock")

    words = find_vocabulary(f"+ {path}")

    facets = {facet.name: facet for facet in words.facets}
    own = {facet.name: facet for facet in own_vocabulary().facets}
    assert list(facets) == [*own, "shop"]
    assert facets["subject"].labels == (*own["subject"].labels, "kiwi")
    assert facets["subject"].above("kiwi") == ("bird", "animal")
    assert facets["subject"].templates == own["subject"].templates
    assert {name: facets[name] for name in own if name != "subject"} == {
        name: facet for name, facet in own.items() if name != "subject"
    }
    assert words.notes == ("listed more than once and taken once: owl",)
    assert words.name == "own words + more.txt"


def test_words_can_be_added_without_a_file():
    assert find_vocabulary("+sale, stock").facets[-1].labels == ("sale", "stock")
    with refused("names no labels"):
        find_vocabulary("+")
