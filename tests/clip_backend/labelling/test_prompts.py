"""The prompts of labels and the embeddings made of them."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import TextFeatures, unit_rows
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.scores import NO_DEFECT, embed_facets, rules_for
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.errors import InputError

from .cosine_encoder import CosineEncoder, facet_of, vocabulary


def rows_of(*texts):
    """An encoder in which each of the texts has an axis of its own."""
    return CosineEncoder({"a.png": dict.fromkeys(texts, 0.1)})


def embedded(encoder, words, **options):
    """The facets' vectors, and the notes."""
    return embed_facets(encoder, words, rules_for(encoder, words, LabelOptions(**options)))


def test_a_label_is_the_mean_of_its_prompts_made_unit_again():
    encoder = rows_of("a cat", "the cat", "a dog", "the dog")

    (facet,), _ = embedded(encoder, vocabulary(facet_of(["cat", "dog"], templates=("a {}", "the {}"))))

    half = np.sqrt(0.5)
    expected = [half * (encoder.encode_texts([f"a {name}", f"the {name}"]).vectors.sum(0)) for name in ("cat", "dog")]
    np.testing.assert_allclose(facet.labels.vectors, expected, atol=1e-6)
    assert facet.labels.ids == ("cat", "dog")


def test_all_facets_and_their_rivals_are_encoded_in_one_call_through_their_own_templates():
    encoder = rows_of("cat")
    facets = facet_of(["cat", "dog"], "subject", templates=("the {}",)), facet_of(["oil"], "medium")

    (subject, medium), _ = embedded(encoder, vocabulary(*facets))

    nouns = tuple(bank().nouns)
    assert encoder.texts == [*(f"the {name}" for name in ("cat", "dog", *nouns)), "oil"]
    assert (subject.labels.ids, subject.nouns.ids) == (("cat", "dog"), nouns)
    assert (medium.labels.ids, medium.nouns, medium.no_defect) == (("oil",), None, None)


@pytest.mark.parametrize(
    ("options", "with_nouns"),
    [
        ({}, ["subject"]),
        ({"none_of_these": False}, []),
        ({"multiple": True}, ["subject", "mood"]),
        ({"multiple": True, "none_of_these": False}, ["subject", "mood"]),
    ],
)
def test_nouns_are_encoded_only_where_labels_are_compared_with_them(options, with_nouns):
    words = vocabulary(facet_of(["cat"], "subject"), facet_of(["calm"], "mood"))

    facets, _ = embedded(rows_of("cat"), words, **options)

    assert [facet.name for facet, one in zip(words.facets, facets, strict=True) if one.nouns] == with_nouns


def test_no_defect_is_one_competitor_of_three_texts_through_the_templates():
    prompts = [f"{text}{end}" for text in NO_DEFECT for end in ("", "!")]
    encoder = rows_of(*prompts)

    (facet,), _ = embedded(encoder, vocabulary(facet_of(["blurry"], "defects", templates=("{}", "{}!"))))

    expected = encoder.encode_texts(prompts).vectors.sum(0) / np.sqrt(6)
    np.testing.assert_allclose(facet.no_defect.vectors, [expected], atol=1e-6)


class RandomTexts(CosineEncoder):
    """Texts are random unit vectors."""

    def encode_texts(self, texts, **options):
        rows = np.random.default_rng(0).standard_normal((len(texts), 5))
        return TextFeatures(unit_rows(rows, texts), tuple(texts), self.space, ("",) * len(texts))


def test_the_means_equal_a_loop_over_labels_and_templates():
    labels = ["p", "q", "r", "s"]
    facet = facet_of(labels, templates=("{}", "a {}", "the {}"))
    encoder = RandomTexts({})
    names = [*labels, *bank().nouns]
    rows = encoder.encode_texts(["any"] * (3 * len(names))).vectors

    (found,), _ = embedded(encoder, vocabulary(facet))

    vectors = [*found.labels.vectors, *found.nouns.vectors]
    for place, vector in enumerate(vectors):
        total = sum(rows[3 * place + template] for template in range(3))
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-6)
    assert len(vectors) == len(names)


def test_a_label_with_braces_stands_in_its_prompt_as_it_is():
    encoder = rows_of("cat")

    embedded(encoder, vocabulary(facet_of(["{0} été {}"], templates=("a photo of {}",))))

    assert encoder.texts[:2] == ["a photo of {0} été {}", "a photo of chair"]


def test_labels_longer_than_the_context_are_named_in_a_note():
    long = "a very long label that goes on and on and never ends at all"
    _, (note,) = embedded(CosineEncoder({"a.png": {}}, context=20), vocabulary("cat", long))

    assert "'a very long label that goes on and on an…'" in note
    assert "cat" not in note.split("'")


def test_a_note_names_three_long_labels_and_counts_the_others():
    labels = [f"label number {number}" for number in range(10)]

    _, (note,) = embedded(CosineEncoder({"a.png": {}}, context=5), vocabulary(*labels))

    assert "'label number 2' and 7 more" in note


def test_prompts_that_cancel_out_are_refused_with_the_label():
    class Contrary(CosineEncoder):
        def encode_texts(self, texts, **given):
            found = super().encode_texts(texts, **given)
            found.vectors[1] = -found.vectors[0]
            return found

    with pytest.raises(InputError, match="cat"):
        embedded(Contrary({"a.png": {"cat": 0.1}}), vocabulary(facet_of(["cat"], templates=("{}", "no {}"))))
