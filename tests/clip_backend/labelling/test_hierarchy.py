"""Labels in groups: the scores of groups, and which node a picture gets."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.distinctive import lowest_nodes
from clip_grid.clip_backend.labelling.labels import confident_nodes, label_pictures, top_indices
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.scores import accumulate
from clip_grid.clip_backend.words.vocabulary import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from .cosine_encoder import NOUNS, CosineEncoder, encoder_of_one, facet_of, vocabulary

KINDS = {"poodle": "dog", "beagle": "dog", "dog": "animal", "tabby": "cat", "cat": "animal"}
BREEDS = facet_of(["poodle", "beagle", "tabby", "car"], parents=KINDS)


def shares(**wanted):
    """A picture in which labels have these probabilities, by a scale of 10."""
    return encoder_of_one(**{label: 0.5 + log(share) / 10 for label, share in wanted.items()})


def labelled(encoder, **options):
    chosen = LabelOptions(**{"none_of_these": False} | options)
    return label_pictures(encoder, ["a.png"], vocabulary(BREEDS), options=chosen).pictures[0]


def test_groups_that_are_no_labels_are_nodes_after_them():
    tree = BREEDS.tree

    assert tree.names == ("poodle", "beagle", "tabby", "car", "dog", "animal", "cat")
    assert list(tree.children.items()) == [(ROOT, (3, 5)), (5, (4, 6)), (4, (0, 1)), (6, (2,))]


def test_a_group_has_the_sum_of_its_own_and_all_below_it():
    tree = facet_of(["dog", "poodle", "car"], parents={"poodle": "dog", "dog": "animal"}).tree

    sums = accumulate(tree, np.array([[0.2, 0.5, 0.3]]))

    assert dict(zip(tree.names, sums[0], strict=True)) == pytest.approx(
        {"dog": 0.7, "poodle": 0.5, "car": 0.3, "animal": 0.7}
    )


def test_the_lowest_nodes_that_fit_have_none_below_them_that_fits():
    def lowest(*names):
        fits = np.array([[name in names for name in BREEDS.tree.names]])
        return [name for name, low in zip(BREEDS.tree.names, lowest_nodes(BREEDS.tree, fits)[0], strict=True) if low]

    assert lowest("poodle", "dog", "animal", "cat", "car") == ["poodle", "car", "cat"]
    assert lowest("poodle", "animal") == ["poodle"]


def test_a_clear_breed_is_named():
    assert labelled(shares(poodle=0.8, beagle=0.1, tabby=0.05, car=0.05)).label == "poodle"


def test_of_two_equal_breeds_their_kind_is_named_with_the_sum():
    answer = labelled(shares(poodle=0.4, beagle=0.4, tabby=0.1, car=0.1))

    assert answer.label == "dog"
    assert answer.score == pytest.approx(0.8, abs=1e-5)
    assert answer.top[0].probability == pytest.approx(0.4, abs=1e-5)


def test_a_breed_below_the_threshold_gives_way_to_its_kind():
    answer = labelled(shares(poodle=0.4, beagle=0.3, tabby=0.2, car=0.1), threshold=0.5)

    assert (answer.label, answer.score) == ("dog", pytest.approx(0.7, abs=1e-5))


def test_a_kind_wins_over_a_label_that_is_likelier_than_each_of_its_own():
    answer = labelled(shares(poodle=0.22, beagle=0.22, tabby=0.22, car=0.34), threshold=0.5)

    assert (answer.label, answer.score) == ("animal", pytest.approx(0.66, abs=1e-5))


def test_two_kinds_that_are_too_close_give_no_label():
    answer = labelled(shares(poodle=0.2, beagle=0.2, tabby=0.1, car=0.5))

    assert answer.label == "unlabeled"
    assert "too close to tell apart" in answer.reason


def test_nouns_take_their_shares_from_labels_and_groups():
    encoder = encoder_of_one(poodle=0.5, beagle=0.5, tabby=0, car=0, other=0.1)

    answer = labelled(encoder, none_of_these=True)

    assert answer.label == "dog"
    assert answer.score == pytest.approx(2 * exp(5) / (2 * exp(5) + 2 + NOUNS * exp(1)), abs=1e-5)


def test_a_group_that_is_likely_enough_is_named_though_each_of_its_labels_is_not():
    # of 512 in all, the nouns have 320 and each breed 96: 0.19, together 0.375
    encoder = encoder_of_one(poodle=log(96) / 10, beagle=log(96) / 10, tabby=-9, car=-9, other=log(5) / 10)
    encoder.pictures["a.png"].update(tabby=-0.5, car=-0.5)

    answer = labelled(encoder, none_of_these=True)

    assert (answer.label, answer.score) == ("dog", pytest.approx(0.375, abs=1e-3))


def test_a_tree_of_which_no_node_is_likely_enough_is_none_of_these():
    answer = labelled(encoder_of_one(poodle=0.2, beagle=0.2, tabby=0, car=0, other=0.2), none_of_these=True)

    assert (answer.label, answer.score) == ("none of these", pytest.approx(64 / (66 + 2 * exp(-2)), abs=1e-5))


def test_a_noun_that_a_group_names_does_not_compete():
    plants = facet_of(["oak", "elm"], parents={"oak": "trees", "elm": "trees"})
    encoder = CosineEncoder({"a.png": {"oak": 0.4, "elm": 0.1, "tree": 0.8}})

    run = label_pictures(encoder, ["a.png"], vocabulary(plants))

    assert "tree" not in encoder.texts
    assert run.pictures[0].scale == f"softmax over 2 labels and {NOUNS - 1} unrelated nouns"


def test_a_group_of_defects_must_lead_that_there_is_none():
    unsharp = facet_of(["blurry", "shaken"], "defects", parents={"blurry": "unsharp", "shaken": "unsharp"})

    def of(**cosines):
        return label_pictures(encoder_of_one(**cosines), ["a.png"], vocabulary(unsharp)).pictures[0]

    assert of(blurry=0.3, shaken=0.3, other=0.3).label == "unsharp"
    flawless = of(blurry=0.3, shaken=0.3, other=0.39)
    assert flawless.label == "unlabeled"
    assert flawless.reason == "'unsharp' is the likeliest with 0.448, not ahead of no defect with 0.552"


def deepest_by_search(tree, shares, threshold, margin):
    """The rule word by word: every node is compared with all that lie outside its branch."""
    parents = {node: parent for parent, nodes in tree.children.items() for node in nodes}

    def line(node):
        return [node] if parents[node] == ROOT else [node, *line(parents[node])]

    found, depth = ROOT, 0
    for node in range(len(tree.names)):
        rivals = [other for other in range(len(tree.names)) if other not in line(node) and node not in line(other)]
        ahead = shares[node] - max((shares[other] for other in rivals), default=0)
        if shares[node] >= threshold and ahead >= margin and len(line(node)) > depth:
            found, depth = node, len(line(node))
    return found


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from([0.01, 0.1]))
def test_the_confident_node_is_the_one_that_a_search_over_all_nodes_finds(seed, threshold, margin):
    rng = np.random.default_rng(seed)
    labels = [str(number) for number in range(8)]
    parents = {str(n): str(int(rng.integers(n + 1, 12))) for n in range(11) if rng.random() < 0.7}
    tree = facet_of(labels, parents=parents).tree
    sums = accumulate(tree, rng.dirichlet(np.full(8, 0.4), 5))

    expected = [deepest_by_search(tree, row, threshold, margin) for row in sums]

    found = confident_nodes(tree, sums, threshold=threshold, margin=margin, rival=np.zeros(5))
    assert found.tolist() == expected


def test_a_node_that_does_not_lead_the_rival_is_not_sure():
    tree = facet_of(["cat", "dog"]).tree

    found = confident_nodes(tree, np.array([[0.5, 0.1]] * 3), threshold=0.2, margin=0.1, rival=np.array([0, 0.3, 0.45]))

    assert found.tolist() == [0, 0, ROOT]


# order


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 1000))
def test_the_top_indices_equal_a_stable_sort(count, width, seed):
    values = np.random.default_rng(seed).integers(0, 4, (3, width)) / 10

    expected = [sorted(range(width), key=lambda place, row=row: -row[place])[:count] for row in values]
    assert top_indices(values, count).tolist() == expected


def test_values_that_differ_by_rounding_alone_stay_in_the_order_of_the_vocabulary():
    assert top_indices(np.array([[0.30000001, 0.30000004, 0.3001]]), 3).tolist() == [[2, 0, 1]]
