"""The vocabulary that comes with the pack: as many words as promised, none twice, none at odds with another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import clip_grid.clip_backend.words as room
import pytest
from clip_grid.clip_backend.words.find import FACETS, own_vocabulary
from clip_grid.clip_backend.words.vocabulary import Facet, same_text

LEAST = {
    "medium": 55, "subject": 190, "style": 75, "lighting": 25, "colour": 15, "composition": 38, "mood": 33,
    "defects": 28,
}  # fmt: skip
OWN = own_vocabulary().facets
each_facet = pytest.mark.parametrize("facet", OWN, ids=[facet.name for facet in OWN])


def test_there_are_about_five_hundred_words():
    assert 480 <= len(own_vocabulary()) <= 560
    assert {facet.name: len(facet.labels) >= LEAST[facet.name] for facet in OWN} == dict.fromkeys(FACETS, True)


def test_every_data_file_is_a_facet_of_its_name():
    files = (Path(room.__file__).parent / "data").iterdir()

    assert tuple(facet.name for facet in OWN) == FACETS
    assert {path.name for path in files} == {f"{name}.json" for name in FACETS}


def test_nothing_was_merged_or_doubtful_and_they_are_read_once():
    assert own_vocabulary().notes == ()
    assert own_vocabulary() is own_vocabulary()


@each_facet
def test_labels_are_one_to_three_words_in_lower_case(facet: Facet):
    assert [label for label in facet.labels if not 1 <= len(label.split()) <= 3] == []
    assert [label for label in facet.labels if label != same_text(label) or not label.isascii()] == []


@each_facet
def test_templates_are_few_with_the_label_alone_first(facet: Facet):
    assert 2 <= len(facet.templates) <= 5
    assert facet.templates[0] == "{}"
    assert len(set(facet.templates)) == len(facet.templates)


@each_facet
def test_templates_do_not_take_the_picture_for_a_photograph(facet: Facet):
    assert [one for one in facet.templates if "photo" in one or "painting" in one] == []


@each_facet
def test_groups_have_several_members_and_at_most_three_levels(facet: Facet):
    sizes = Counter(facet.parents.values())

    assert [group for group, size in sizes.items() if size < 2] == []
    assert max(len(facet.above(label)) for label in facet.labels) <= 2


def test_no_word_stands_in_two_facets():
    places = Counter(word for facet in OWN for word in {*facet.labels, *facet.parents.values()})

    assert [word for word, count in places.items() if count > 1] == []


def test_subjects_have_a_hierarchy():
    subject = next(facet for facet in OWN if facet.name == "subject")

    assert subject.above("dog") == ("animal",)
    assert subject.above("car") == ("vehicle",)
    assert subject.above("owl") == ("bird", "animal")
    assert all(subject.above(label) or label in subject.parents.values() for label in subject.labels)
