from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.scores import average_prompts, fill, label_bank
from clip_grid.errors import InputError

from .toy_world import ToyWorld, vocabulary, words


def rows_of(*texts):
    """A world in which each of the texts has an axis of its own."""
    return ToyWorld({"a.png": dict.fromkeys(texts, 0.1)})


def test_a_label_is_the_mean_of_its_sentences_made_unit_again():
    world = rows_of("a cat", "the cat", "a dog", "the dog")

    bank = label_bank(world, vocabulary(words(["cat", "dog"], templates=("a {}", "the {}"))))

    half = np.sqrt(0.5)
    expected = [half * (world.encode_texts([f"a {name}", f"the {name}"]).vectors.sum(0)) for name in ("cat", "dog")]
    np.testing.assert_allclose(bank.facets[0].vectors, expected, atol=1e-6)
    assert bank.facets[0].ids == ("cat", "dog")


def test_all_facets_are_read_in_one_call_in_their_own_sentences():
    world = rows_of("cat")

    bank = label_bank(
        world, vocabulary(words(["cat", "dog"], "subject"), words(["oil"], "medium", templates=("{} art",)))
    )

    assert world.texts == ["cat", "dog", "oil art"]
    assert [features.ids for features in bank.facets] == [("cat", "dog"), ("oil",)]


def test_the_mean_equals_a_loop_over_labels():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((12, 5)).astype(np.float32)

    means = average_prompts(rows, 4)

    for label in range(4):
        np.testing.assert_allclose(means[label], sum(rows[3 * label + place] for place in range(3)) / 3, atol=1e-6)


def test_a_label_with_braces_stands_in_its_sentence_as_it_is():
    assert fill("a photo of {}", "{0} été {}") == "a photo of {0} été {}"


def test_labels_that_the_model_reads_in_part_are_named_in_a_note():
    long = "a very long label that goes on and on and never ends at all"
    bank = label_bank(ToyWorld({"a.png": {}}, context=20), vocabulary("cat", long))

    (note,) = bank.notes
    assert "'a very long label that goes on and on an…'" in note
    assert "cat" not in note.split("'")


def test_a_note_names_three_long_labels_and_counts_the_others():
    labels = [f"label number {number}" for number in range(10)]

    (note,) = label_bank(ToyWorld({"a.png": {}}, context=5), vocabulary(*labels)).notes

    assert "'label number 2' and 7 more" in note


def test_sentences_that_cancel_out_are_refused_by_the_labels_name():
    class Contrary(ToyWorld):
        def encode_texts(self, texts, **given):
            found = super().encode_texts(texts, **given)
            found.vectors[1] = -found.vectors[0]
            return found

    with pytest.raises(InputError, match="cat"):
        label_bank(Contrary({"a.png": {"cat": 0.1}}), vocabulary(words(["cat"], templates=("{}", "no {}"))))
