"""The rule for labels on vectors with the statistics of three families of models."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.clip_backend.words.vocabulary import vocabulary_from_labels

from ..scoring.synthetic import SETTINGS, Setting, Synthetic, SyntheticEncoder

LABELS, COUNT = 20, 200
NAMES = [f"label{number}" for number in range(LABELS)]


@cache
def scene(setting: Setting):
    """An encoder of pictures of all topics, and these; the first 20 have labels, the nouns are of the others."""
    draw = Synthetic(setting, seed=3)
    topics = np.concatenate([np.arange(LABELS).repeat(COUNT // LABELS), LABELS + draw.topics(COUNT) % 60])
    vectors = draw.pictures(topics, draw.details(2 * COUNT))
    words = draw.words(np.concatenate([np.arange(LABELS), LABELS + draw.topics(64) % 60]))
    names = [*NAMES, *bank().nouns]
    texts = {prompt: word for name, word in zip(names, words, strict=True) for prompt in (name, f"a photo of a {name}")}
    pictures = {f"{place}.png": vector for place, vector in enumerate(vectors)}
    return SyntheticEncoder(draw, pictures, texts), topics


def answers(encoder, **options):
    words = vocabulary_from_labels(NAMES)
    return label_pictures(encoder, list(encoder.pictures), words, options=LabelOptions(**options)).pictures


def shares(setting, **options):
    """Of pictures that show a label, how many get one, and of these how many rightly; of others, how many get one."""
    encoder, topics = scene(setting)
    found = answers(encoder, **options)
    has_label = np.array([bool(one.labels) for one in found])
    is_right = np.array([f"label{topic}" in one.labels for one, topic in zip(found, topics, strict=True)])
    shown, others = slice(COUNT), slice(COUNT, None)
    return has_label[shown].mean(), is_right[shown].sum() / has_label[shown].sum(), has_label[others].mean()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_most_pictures_get_their_label_and_few_of_the_others_get_one(setting):
    labelled, right, wrongly = shares(setting)

    assert labelled >= 0.75 and right >= 0.85 and wrongly <= 0.2
    # the softmax of the labels alone labels nearly every picture, whatever it shows
    assert shares(setting, none_of_these=False)[2] >= 0.9


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_of_several_labels_most_are_right(setting):
    labelled, right, wrongly = shares(setting, multiple=True)

    assert labelled >= 0.6 and right >= 0.9 and wrongly <= 0.2


def moved(vectors, scale, offset, *, are_pictures):
    """Vectors of which the cosines of pictures with texts are these times ``scale`` plus ``offset``."""
    rest = np.sqrt(1 - scale - offset)
    ends = [np.sqrt(offset), rest, 0.0] if are_pictures else [np.sqrt(offset), 0.0, rest]
    return {name: np.append(np.sqrt(scale) * one, ends).astype(np.float32) for name, one in vectors.items()}


@pytest.mark.parametrize(("scale", "offset"), [(0.7, 0.3), (0.5, 0.0)])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_several_labels_stay_when_all_cosines_are_scaled_or_raised(setting, scale, offset):
    encoder, _ = scene(setting)
    other = SyntheticEncoder(
        encoder.synthetic,
        moved(encoder.pictures, scale, offset, are_pictures=True),
        moved(encoder.texts, scale, offset, are_pictures=False),
    )

    def labels(one):
        return [picture.labels for picture in answers(one, multiple=True)]

    assert labels(other) == labels(encoder)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_noise_gets_no_label(setting):
    draw = scene(setting)[0].synthetic
    noise = {f"noise {place}.png": vector for place, vector in enumerate(draw.noise(20))}
    encoder = SyntheticEncoder(draw, noise, scene(setting)[0].texts, dict.fromkeys(noise, (60.0, 0.0)))

    assert {one.reason for one in answers(encoder)} == {"the picture shows noise only"}
