"""The rule for labels on real vectors: 500 pictures of COCO and 171 prompts by OpenAI's ViT-B/16.

A list of labels is drawn from COCO's 80 things, and 64 of the other prompts are the unrelated nouns; figures are means
over 60 such lists. A picture shows a label that three or more of its five captions name, and a label is right that any
of them names. Captions leave things unnamed, so that labels of pictures that show none of the list are an upper limit.
There is one list of 80 labels: for each picture, those that its captions name are taken out of it, and may be among the
64 nouns instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import clip_grid
import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.labelling.labels import confident_nodes
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.scores import LEAST_Z, FacetScores, FacetVectors, rules_for, score_facet

from .cosine_encoder import facet_of, vocabulary

REAL = Path(clip_grid.__file__).parent.parent / "shared" / "real"
pytestmark = pytest.mark.skipif(
    not (REAL / "coco_openai_b16.npz").is_file(),
    reason="the folder shared/real with real vectors is not beside this one",
)
#: COCO's things come first, then its stuff.
THINGS, PROMPTS, NOUNS = 80, 171, 64
SALIENT = 3
MODEL = SimpleNamespace(logit_scale=100.0, logit_bias=0.0, identity=SimpleNamespace(is_sigmoid=False))


@cache
def real():
    """The pictures and prompts as unit vectors, and how many captions of each picture name each thing [500, 171]."""
    with np.load(REAL / "coco_openai_b16.npz") as arrays:
        rows = {name: arrays[name].astype(np.float32) for name in ("pictures", "prompts")}
        named = arrays["named"].astype(int)
    features = {name: Features.from_raw(values, map(str, range(len(values))), "b16") for name, values in rows.items()}
    return features["pictures"], features["prompts"], named


def scored(labels, nouns, options=None, pictures=None) -> FacetScores:
    """The product's scores of these prompts as labels beside these as nouns."""
    images, prompts, _ = real()
    facet = facet_of(map(str, labels))
    vectors = FacetVectors(labels=prompts.select(labels), nouns=prompts.select(nouns), no_defect=None)
    images = images if pictures is None else images.select(pictures)
    return score_facet(facet, vectors, images, MODEL, rules(labels, options))


def rules(labels, options=None):
    return rules_for(MODEL, vocabulary(facet_of(map(str, labels))), options or LabelOptions())


def chosen(scores, options=None):
    """The place of each picture's label among the labels; -1 without one."""
    return confident_nodes(
        scores.tree,
        scores.shares,
        threshold=rules([0], options).threshold,
        margin=scores.margin,
        rival=scores.no_defect,
    )


@dataclass(frozen=True)
class Outcome:
    """Percentages of pictures."""

    #: Of those that show a label, those that get one, and of these those whose label is right.
    labelled: float
    right: float
    #: Of those that show none, those that get one.
    wrongly: float


@cache
def outcome(count: int, options: LabelOptions) -> Outcome:
    """For lists of so many labels."""
    rng = np.random.default_rng(count)
    results = [of_list(rng, count, options) for _ in range(60 if count < THINGS else 5)]
    labelled, right, wrongly = np.nanmean(np.array(results), axis=0) * 100
    if count == THINGS:
        wrongly = 100 * np.mean([is_labelled_without(rng, picture, options) for picture in range(0, 500, 4)])
    return Outcome(labelled, right, wrongly)


def of_list(rng, count, options):
    """The shares of one list; nan for a list that no picture shows or gets."""
    own = real()[2]
    labels = rng.permutation(THINGS)[:count]
    others = np.setdiff1d(np.arange(PROMPTS), labels)
    found = chosen(scored(labels, rng.permutation(others)[:NOUNS], options), options)
    named = own[:, labels]
    shows, has_label, has_none = (named >= SALIENT).any(1), found >= 0, ~(named > 0).any(1)
    is_right = named[np.arange(len(named)), found] > 0
    return share(shows, has_label), share(shows & has_label, is_right), share(has_none, has_label)


def share(of, have):
    return have[of].mean() if of.any() else np.nan


def is_labelled_without(rng, picture, options):
    """Whether a picture gets one of the things that its captions do not name."""
    labels = np.flatnonzero(real()[2][picture, :THINGS] == 0)
    others = np.setdiff1d(np.arange(PROMPTS), labels)
    return chosen(scored(labels, rng.permutation(others)[:NOUNS], options, [picture]), options)[0] >= 0


#: The published shares for 5, 20 and 80 labels, in percent.
WITH_NOUNS = {5: Outcome(67, 100, 3), 20: Outcome(78, 92, 12), 80: Outcome(87, 89, 32)}
ALONE = {5: Outcome(100, 95, 97), 20: Outcome(99, 84, 90), 80: Outcome(97, 85, 79)}
#: In points. The lists of 5 and 20 labels behind the published shares are not known, and lists differ much: "person" is
#: in every third picture and hard to tell, so that the mean over 20 lists varies by 4 points from draw to draw.
TOLERANCE, TOLERANCE_OF_LISTS = 3, 6


def holds(found: Outcome, count: int) -> bool:
    """Whether the shares are those that the rule promises; fewer labels for pictures that show none are welcome."""
    expected, tolerance = WITH_NOUNS[count], TOLERANCE if count == THINGS else TOLERANCE_OF_LISTS
    return (
        found.labelled == pytest.approx(expected.labelled, abs=tolerance)
        and found.right == pytest.approx(expected.right, abs=tolerance)
        and found.wrongly <= expected.wrongly + TOLERANCE
    )


@pytest.mark.parametrize("count", WITH_NOUNS)
def test_the_shares_are_the_published_ones(count):
    assert holds(outcome(count, LabelOptions()), count), outcome(count, LabelOptions())


@pytest.mark.parametrize("count", WITH_NOUNS)
def test_the_softmax_of_the_labels_alone_fails_the_same_test(count):
    alone = outcome(count, LabelOptions(none_of_these=False))

    assert not holds(alone, count)
    assert alone.labelled == pytest.approx(ALONE[count].labelled, abs=TOLERANCE)
    assert alone.right == pytest.approx(ALONE[count].right, abs=TOLERANCE)
    assert alone.wrongly == pytest.approx(ALONE[count].wrongly, abs=TOLERANCE)


def test_a_z_of_3_finds_half_of_the_salient_labels_and_hardly_a_wrong_one():
    rng, named = np.random.default_rng(0), real()[2][:, :THINGS]
    found = [
        scored(np.arange(THINGS), rng.choice(np.arange(THINGS, PROMPTS), NOUNS, replace=False)).z >= LEAST_Z
        for _ in range(5)
    ]
    shares = [np.mean([one[where].mean() for one in found]) for where in (named >= SALIENT, named > 0, named == 0)]

    assert [100 * one for one in shares] == pytest.approx([53, 39, 0.5], abs=TOLERANCE)
    assert shares[2] < 0.01
