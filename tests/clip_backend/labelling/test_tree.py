from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions, rules_for
from clip_grid.clip_backend.labelling.tree import ROOT, NodeScores, sure_nodes, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from .toy_world import ToyWorld, one_picture, vocabulary, words

KINDS = {"poodle": "dog", "beagle": "dog", "dog": "animal", "tabby": "cat", "cat": "animal"}
BREEDS = words(["poodle", "beagle", "tabby", "car"], parents=KINDS)


def shares(**wanted):
    """A picture in which labels have these probabilities, by a scale of 10."""
    return one_picture(**{label: 0.5 + log(share) / 10 for label, share in wanted.items()})


def labelled(world, **options):
    chosen = LabelOptions(**{"none_of_these": False, "noise_floor": False} | options)
    return label_pictures(world, ["a.png"], vocabulary(BREEDS), options=chosen).pictures[0]


def test_parents_that_are_no_labels_are_nodes_after_them():
    tree = tree_of(BREEDS)

    assert tree.names == ("poodle", "beagle", "tabby", "car", "dog", "animal", "cat")
    assert tree.labels == 4
    assert tree.parents == (4, 4, 6, ROOT, 5, ROOT, 5)
    assert tree.children == {4: (0, 1), 6: (2,), ROOT: (3, 5), 5: (4, 6)}


def test_a_parent_has_the_sum_of_what_is_below_it_and_its_own():
    tree = tree_of(words(["dog", "poodle", "car"], parents={"poodle": "dog", "dog": "animal"}))

    masses = tree.masses(np.array([[0.2, 0.5, 0.3]]), np.add)
    tops = tree.masses(np.array([[0.2, 0.5, 0.3]]), np.maximum)

    assert dict(zip(tree.names, masses[0], strict=True)) == pytest.approx(
        {"dog": 0.7, "poodle": 0.5, "car": 0.3, "animal": 0.7}
    )
    assert dict(zip(tree.names, tops[0], strict=True)) == {"dog": 0.5, "poodle": 0.5, "car": 0.3, "animal": 0.5}


def test_the_lowest_are_those_with_none_below_them():
    tree = tree_of(BREEDS)
    fits = np.array([[name in ("poodle", "dog", "animal", "cat", "car") for name in tree.names]])

    far = np.array([[name in ("poodle", "animal") for name in tree.names]])

    assert [name for name, low in zip(tree.names, tree.lowest(fits)[0], strict=True) if low] == ["poodle", "car", "cat"]
    assert [name for name, low in zip(tree.names, tree.lowest(far)[0], strict=True) if low] == ["poodle"]


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


def test_none_of_these_is_a_rival_of_the_whole_tree():
    world = ToyWorld({"a.png": {"poodle": 0.3, "beagle": 0.3, "tabby": 0, "car": 0, "other": 0.33}})

    answer = labelled(world, none_of_these=True)

    assert answer.label == "dog"
    assert answer.score == pytest.approx(2 * exp(3) / (2 * exp(3) + 2 + exp(3.3)), abs=1e-5)


def test_a_kind_of_a_sigmoid_has_the_probability_of_its_likeliest_label():
    world = ToyWorld({"a.png": {"poodle": 0.5, "beagle": 0.5, "tabby": 0, "car": 0}}, logit_bias=-5.0)

    answer = labelled(world)

    assert (answer.label, answer.score) == ("dog", pytest.approx(0.5, abs=1e-5))


def test_noise_silences_a_kind_by_its_likeliest_label():
    noise = {"poodle": 0.3, "beagle": 0.3}
    world = ToyWorld({"a.png": {"poodle": 0.3, "beagle": 0.3}}, noise)

    assert labelled(world, noise_floor=True).label == "unlabeled"


def test_a_kind_whose_likeliest_label_fits_like_noise_is_silent():
    noise = {"poodle": 0.35, "beagle": 0.0, "tabby": 0.0, "car": 0.0}
    world = ToyWorld({"a.png": {"poodle": 0.35, "beagle": 0.349}}, noise)

    answer = labelled(world, noise_floor=True)

    assert (answer.label, answer.reason[:24]) == ("unlabeled", "'poodle' fits best, but ")


def deepest_by_search(tree, masses, threshold, margin):
    """The rule as it is told: every node is tried against all that lie outside its branch."""

    def line(node):
        return [node] if tree.parents[node] == ROOT else [node, *line(tree.parents[node])]

    found, depth = ROOT, 0
    for node in range(len(tree.names)):
        rivals = [other for other in range(len(tree.names)) if other not in line(node) and node not in line(other)]
        ahead = masses[node] - max((masses[other] for other in rivals), default=0)
        if masses[node] >= threshold and ahead >= margin and len(line(node)) > depth:
            found, depth = node, len(line(node))
    return found


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from([0.01, 0.1]))
def test_the_way_down_finds_what_a_search_over_all_nodes_finds(seed, threshold, margin):
    rng = np.random.default_rng(seed)
    labels = [str(number) for number in range(8)]
    parents = {str(n): str(int(rng.integers(n + 1, 12))) for n in range(11) if rng.random() < 0.7}
    facet = words(labels, parents=parents)
    tree = tree_of(facet)
    masses = tree.masses(rng.dirichlet(np.full(8, 0.4), 5), np.add)
    nodes = NodeScores(
        tree=tree,
        probabilities=masses,
        shares=masses,
        is_above_noise=np.ones(masses.shape, bool),
        none_share=np.zeros(5),
    )
    rules = rules_for(ToyWorld({}), vocabulary(facet), LabelOptions(threshold=threshold, margin=margin))

    expected = [deepest_by_search(tree, row, threshold, margin) for row in masses]

    assert sure_nodes(nodes, rules) == expected
