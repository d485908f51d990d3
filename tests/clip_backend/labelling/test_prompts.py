"""The prompts of labels and the embeddings made of them."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import TextFeatures, unit_rows
from clip_grid.clip_backend.labelling.scores import embed_labels
from clip_grid.errors import InputError

from .cosine_encoder import CosineEncoder, facet_of, vocabulary


def rows_of(*texts):
    """An encoder in which each of the texts has an axis of its own."""
    return CosineEncoder({"a.png": dict.fromkeys(texts, 0.1)})


def test_a_label_is_the_mean_of_its_prompts_made_unit_again():
    encoder = rows_of("a cat", "the cat", "a dog", "the dog")

    (features,), _ = embed_labels(encoder, vocabulary(facet_of(["cat", "dog"], templates=("a {}", "the {}"))))

    half = np.sqrt(0.5)
    expected = [half * (encoder.encode_texts([f"a {name}", f"the {name}"]).vectors.sum(0)) for name in ("cat", "dog")]
    np.testing.assert_allclose(features.vectors, expected, atol=1e-6)
    assert features.ids == ("cat", "dog")


def test_all_facets_are_encoded_in_one_call_with_their_own_templates():
    encoder = rows_of("cat")

    embedded, _ = embed_labels(
        encoder, vocabulary(facet_of(["cat", "dog"], "subject"), facet_of(["oil"], "medium", templates=("{} art",)))
    )

    assert encoder.texts == ["cat", "dog", "oil art"]
    assert [features.ids for features in embedded] == [("cat", "dog"), ("oil",)]


class RandomTexts(CosineEncoder):
    """Texts are random unit vectors."""

    def encode_texts(self, texts, **options):
        rows = np.random.default_rng(0).standard_normal((len(texts), 5))
        return TextFeatures(unit_rows(rows, texts), tuple(texts), self.space, ("",) * len(texts))


def test_the_means_equal_a_loop_over_facets_and_labels():
    labels = ["p", "q", "r", "s"]
    facets = facet_of(labels, templates=("{}", "a {}", "the {}")), facet_of(["t"], "other", templates=("{}", "a {}"))
    encoder = RandomTexts({})
    rows = encoder.encode_texts(["any"] * 14).vectors

    (first, second), _ = embed_labels(encoder, vocabulary(*facets))

    for label in range(4):
        total = sum(rows[3 * label + place] for place in range(3))
        np.testing.assert_allclose(first.vectors[label], total / np.linalg.norm(total), atol=1e-6)
    total = rows[12] + rows[13]
    np.testing.assert_allclose(second.vectors[0], total / np.linalg.norm(total), atol=1e-6)


def test_a_label_with_braces_stands_in_its_prompt_as_it_is():
    encoder = rows_of("cat")

    embed_labels(encoder, vocabulary(facet_of(["{0} été {}"], templates=("a photo of {}",))))

    assert encoder.texts == ["a photo of {0} été {}"]


def test_labels_longer_than_the_context_are_named_in_a_note():
    long = "a very long label that goes on and on and never ends at all"
    _, (note,) = embed_labels(CosineEncoder({"a.png": {}}, context=20), vocabulary("cat", long))

    assert "'a very long label that goes on and on an…'" in note
    assert "cat" not in note.split("'")


def test_a_note_names_three_long_labels_and_counts_the_others():
    labels = [f"label number {number}" for number in range(10)]

    _, (note,) = embed_labels(CosineEncoder({"a.png": {}}, context=5), vocabulary(*labels))

    assert "'label number 2' and 7 more" in note


def test_prompts_that_cancel_out_are_refused_with_the_label():
    class Contrary(CosineEncoder):
        def encode_texts(self, texts, **given):
            found = super().encode_texts(texts, **given)
            found.vectors[1] = -found.vectors[0]
            return found

    with pytest.raises(InputError, match="cat"):
        embed_labels(Contrary({"a.png": {"cat": 0.1}}), vocabulary(facet_of(["cat"], templates=("{}", "no {}"))))
