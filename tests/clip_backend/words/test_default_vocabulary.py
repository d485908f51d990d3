"""The default vocabulary: as many labels as documented, none twice, in groups that make sense."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import clip_grid.clip_backend.words as package
import pytest
from clip_grid.clip_backend.words.sources import DEFAULT_FACETS, default_vocabulary
from clip_grid.clip_backend.words.vocabulary import Facet, text_key

LEAST = {
    "medium": 55, "subject": 190, "style": 75, "lighting": 25, "colour": 15, "composition": 38, "mood": 33,
    "defects": 28,
}  # fmt: skip
FACETS = default_vocabulary().facets
each_facet = pytest.mark.parametrize("facet", FACETS, ids=[facet.name for facet in FACETS])


def test_there_are_about_five_hundred_labels():
    assert 480 <= len(default_vocabulary()) <= 560
    assert {facet.name: len(facet.labels) >= LEAST[facet.name] for facet in FACETS} == dict.fromkeys(
        DEFAULT_FACETS, True
    )


def test_every_data_file_is_a_facet_of_its_name():
    files = (Path(package.__file__).parent / "data").iterdir()

    assert tuple(facet.name for facet in FACETS) == DEFAULT_FACETS
    assert {path.name for path in files} == {f"{name}.json" for name in DEFAULT_FACETS}


def test_it_has_no_notes_and_is_read_once():
    assert default_vocabulary().notes == ()
    assert default_vocabulary() is default_vocabulary()


@each_facet
def test_labels_are_one_to_three_words_in_lower_case(facet: Facet):
    assert [label for label in facet.labels if not 1 <= len(label.split()) <= 3] == []
    assert [label for label in facet.labels if label != text_key(label) or not label.isascii()] == []


@each_facet
def test_templates_are_few_with_the_label_alone_first(facet: Facet):
    assert 2 <= len(facet.templates) <= 5
    assert facet.templates[0] == "{}"
    assert len(set(facet.templates)) == len(facet.templates)


@each_facet
def test_templates_do_not_name_a_medium(facet: Facet):
    assert [one for one in facet.templates if "photo" in one or "painting" in one] == []


@each_facet
def test_groups_have_several_members_and_at_most_three_levels(facet: Facet):
    sizes = Counter(facet.parents.values())

    assert [group for group, size in sizes.items() if size < 2] == []
    assert max(len(facet.ancestors(label)) for label in facet.labels) <= 2


def test_no_label_is_in_two_facets():
    places = Counter(word for facet in FACETS for word in {*facet.labels, *facet.parents.values()})

    assert [word for word, count in places.items() if count > 1] == []


def test_subjects_are_in_groups():
    subject = next(facet for facet in FACETS if facet.name == "subject")

    assert subject.ancestors("dog") == ("animal",)
    assert subject.ancestors("car") == ("vehicle",)
    assert subject.ancestors("owl") == ("bird", "animal")
    assert all(subject.ancestors(label) or label in subject.parents.values() for label in subject.labels)
