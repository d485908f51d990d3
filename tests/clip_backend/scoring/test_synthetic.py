"""The synthetic encoder has the statistics of real models, so that rules can be judged by it."""

from __future__ import annotations

import numpy as np
import pytest

from .synthetic import PUBLISHED, SETTINGS, Setting, Synthetic, SyntheticEncoder

COUNT = 500


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_cosines_have_the_means_and_deviations_of_real_models(setting: Setting):
    draw, expected = Synthetic(setting), PUBLISHED[setting.name]
    topics, details = draw.topics(COUNT), draw.details(COUNT)
    pictures, captions = draw.pictures(topics, details), draw.captions(topics, details)
    # each topic is named ten times, so that the means of 80 words do not depend on the draw
    words_of = np.tile(np.arange(setting.topics), 10)
    words = draw.words(words_of)
    cosines, short = pictures @ captions.T, pictures @ words.T
    others = ~np.eye(COUNT, dtype=bool)
    unrelated = cosines[others].reshape(COUNT, COUNT - 1)
    named = topics[:, None] == words_of
    true = np.diag(cosines)
    measured = [true.mean(), true.std(), unrelated.mean(), unrelated.std(), unrelated.std(axis=1).mean()]
    assert measured == pytest.approx([*expected.true, *expected.unrelated, expected.within], abs=0.005)
    assert (short[named].mean(), short[~named].mean()) == pytest.approx(
        (expected.short_true, expected.short_false), abs=0.01
    )
    assert (pictures @ pictures.T)[others].mean() == pytest.approx(expected.among_pictures, abs=0.01)
    assert np.linalg.norm(pictures.mean(axis=0) - captions.mean(axis=0)) == pytest.approx(expected.gap, abs=0.02)
    assert (cosines.argmax(axis=1) == np.arange(COUNT)).mean() == pytest.approx(expected.recall, abs=0.05)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_noise_pictures_are_alike_and_fit_every_text_better(setting: Setting):
    draw = Synthetic(setting)
    noise, words = draw.noise(20), draw.words(np.arange(setting.topics))
    topics = draw.topics(20)
    assert (noise @ noise.T).min() > 0.98
    assert (noise @ words.T).mean() > (draw.pictures(topics, draw.details(20)) @ words.T).mean() + 0.02


def test_an_encoder_gives_the_vectors_that_it_was_given_and_one_vector_for_each_other_text():
    draw = Synthetic(SETTINGS[0])
    topics, details = draw.topics(1), draw.details(1)
    picture, caption = draw.pictures(topics, details)[0], draw.captions(topics, details)[0]
    encoder = SyntheticEncoder(draw, {"a.png": picture}, {"its caption": caption}, {"a.png": (0.0, 1.0)})
    images = encoder.encode_images(["a.png", "b.png"], strict=False, with_statistics=True)
    texts = encoder.encode_texts(["its caption", "a red kettle", "a red kettle"])
    assert (images.kept, [one.name for one in images.failed]) == ((0,), ["b.png"])
    assert images.statistics.tolist() == [[0.0, 1.0]]
    assert images.to_features().similarity(texts)[0, 0] == pytest.approx(float(picture @ caption))
    assert np.array_equal(texts.vectors[1], texts.vectors[2])
    assert not np.array_equal(encoder.encode_texts(["a blue kettle"]).vectors[0], texts.vectors[1])
