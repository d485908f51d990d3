"""Facets and vocabularies, and how entries are put into them."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.words.vocabulary import (
    Entry,
    Facet,
    Vocabulary,
    build_vocabulary,
    merge_vocabularies,
    vocabulary_from_labels,
)
from clip_grid.errors import InputError
from clip_grid.options import check_templates

ANIMALS = {"dog": "pet", "pet": "animal", "owl": "animal"}


def refused(match: str):
    return pytest.raises(InputError, match=match)


# facets


def test_a_label_has_all_groups_above_it_as_ancestors():
    facet = Facet(name="f", labels=("dog", "owl", "fire"), parents=ANIMALS)

    assert facet.ancestors("dog") == ("pet", "animal")
    assert facet.ancestors("owl") == ("animal",)
    assert facet.ancestors("fire") == ()


def test_a_label_that_is_its_own_ancestor_is_refused():
    with refused("in the facet 'f', 'dog' is a kind of itself; take a parent out"):
        Facet(name="f", labels=("dog",), parents=ANIMALS | {"animal": "dog"})


@pytest.mark.parametrize(
    ("labels", "message"),
    [((), "'f' has no labels"), (("a", " "), "'f' holds an empty label"), (("a", "b", "a"), "'f' holds 'a' twice")],
)
def test_a_facet_needs_labels_that_differ(labels: tuple[str, ...], message: str):
    with refused(message):
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


def test_a_vocabulary_can_get_other_templates():
    words = vocabulary_from_labels(["dog", "cat"])

    assert words.with_templates(["a photo of {}"]).facets[0].templates == ("a photo of {}",)


# entries


def test_entries_of_one_facet_need_not_stand_together():
    words = build_vocabulary("v", [Entry(label="a", facet="x"), Entry(label="b"), Entry(label="c", facet="X ")])

    assert [(facet.name, facet.labels) for facet in words.facets] == [("x", ("a", "c")), ("label", ("b",))]


def test_a_label_under_two_parents_stays_under_the_first():
    words = build_vocabulary("v", [Entry(label="bat", groups=("animal",)), Entry(label="bat", groups=("tool",))])

    assert words.facets[0].parents == {"bat": "animal"}
    assert words.notes[1] == "listed under two parents, of which the first counts: bat"


def test_a_label_under_its_own_name_stands_for_the_group():
    words = build_vocabulary("v", [Entry(label=one, groups=("animal", "Bird")) for one in ("bird", "owl")])

    assert words.facets[0].labels == ("Bird", "owl")
    assert words.facets[0].parents == {"owl": "Bird", "Bird": "animal"}


def test_merged_vocabularies_keep_parents_and_templates():
    first = Facet(name="x", labels=("a",), parents={"a": "p", "p": "q"}, templates=("an {}",))
    second = (Facet(name="X", labels=("A", "b")), Facet(name="y", labels=("c", "d"), templates=("the {}",)))

    both = merge_vocabularies(Vocabulary(name="one", facets=(first,)), Vocabulary(name="two", facets=second))

    assert both.name == "one + two"
    assert [facet.labels for facet in both.facets] == [("a", "b"), ("c", "d")]
    assert [facet.templates for facet in both.facets] == [("an {}",), ("the {}",)]
    assert both.facets[0].parents == {"a": "p", "p": "q"}
    assert both.notes == ("listed more than once and taken once: a",)


def test_merging_keeps_the_notes_that_still_hold():
    one = build_vocabulary(
        "one", [Entry(label="a", facet="x"), Entry(label="A", facet="x"), Entry(label="q", facet="y")]
    )
    two = build_vocabulary("two", [Entry(label="b", facet="x")])

    notes = merge_vocabularies(one, two).notes

    assert [note[:30] for note in notes] == ["listed more than once and take", "the facet 'y' has one label; i"]
