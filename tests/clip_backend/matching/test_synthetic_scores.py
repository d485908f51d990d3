"""The default verdict on vectors with the statistics of three families of models."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.scores import Pairing, limit_of, scores_of, verdicts
from clip_grid.clip_backend.scoring.scales import percentiles, z_scores

from ..scoring.synthetic import SETTINGS, SPACE, Synthetic, SyntheticEncoder

COUNT = 400
AUTO = limit_of(MatchOptions(), is_calibrated=False)


def features(rows) -> Features:
    return Features(np.asarray(rows, np.float32), tuple(map(str, range(len(rows)))), SPACE)


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda setting: setting.name)
def drawn(request):
    """Pictures with their captions and words, the bank's texts, and the cosines of all of them."""
    synthetic = Synthetic(request.param)
    topics, details = synthetic.topics(COUNT), synthetic.details(COUNT)
    pictures = synthetic.pictures(topics, details)
    texts = {"long": synthetic.captions(topics, details), "short": synthetic.words(topics)}
    other = synthetic.topics(192)
    bank = {"long": synthetic.captions(other[:128], synthetic.details(128)), "short": synthetic.words(other[128:])}
    return SimpleNamespace(
        setting=request.param,
        topics=topics,
        pictures=pictures,
        texts=texts,
        bank=bank,
        cosines={length: pictures @ texts[length].T for length in texts},
        beside={length: pictures @ bank[length].T for length in bank},
    )


def judged(cosines, bank_cosines, length="long"):
    """The verdicts of cosines [N, M] among those of a bank [N, B]."""

    class Given(Pairing):
        def cosines(self):
            return cosines.astype(np.float32)

    any_texts = features(np.eye(2, 512)[np.zeros(cosines.shape[1], int)])
    any_pictures = features(np.eye(2, 512)[np.zeros(cosines.shape[0], int)])
    pairing = Given(images=any_pictures, texts=any_texts, is_paired=False, classes=[length] * cosines.shape[1])
    encoder = SimpleNamespace(identity=SimpleNamespace(is_sigmoid=False), logit_scale=1.0, logit_bias=0.0)
    scores = scores_of(pairing, {length: bank_cosines.astype(np.float32)}, encoder)
    return np.array(verdicts(scores, AUTO, [""] * len(cosines))).reshape(cosines.shape)


def shares(drawn, length, cosines=None, beside=None):
    """The shares of matches and of mismatches among true texts, and of matches among those of other topics."""
    cosines = drawn.cosines[length] if cosines is None else cosines
    found = judged(cosines, drawn.beside[length] if beside is None else beside, length)
    own, other = np.eye(COUNT, dtype=bool), drawn.topics[:, None] != drawn.topics
    return (found[own] == "match").mean(), (found[own] == "mismatch").mean(), (found[other] == "match").mean()


def test_the_default_finds_true_texts_and_takes_few_others(drawn):
    true, false_alarm, unrelated = shares(drawn, "long")
    short, _, short_unrelated = shares(drawn, "short")

    assert true >= 0.9
    assert false_alarm <= 0.01
    assert unrelated <= 0.06
    assert short >= 0.75
    assert short_unrelated <= 0.06


@pytest.mark.parametrize("length", ["long", "short"])
@pytest.mark.parametrize(("factor", "offset"), [(1, 0.3), (2, 0)])
def test_another_cone_or_scale_of_cosines_changes_no_verdict(drawn, length, factor, offset):
    before = judged(drawn.cosines[length], drawn.beside[length], length)
    after = judged(factor * drawn.cosines[length] + offset, factor * drawn.beside[length] + offset, length)

    # float32 may round a z across the threshold
    assert (before == after).mean() > 0.9999


def test_one_bank_for_texts_of_all_lengths_would_not_do(drawn):
    """Guards the tests above: a bank that does not heed the length fails them."""
    mixed = np.concatenate([drawn.beside["long"], drawn.beside["short"]], axis=1)

    true, _, unrelated = shares(drawn, "long", beside=mixed)
    short, _, short_unrelated = shares(drawn, "short", beside=mixed)

    passes = true >= 0.9 and unrelated <= 0.06 and short >= 0.75 and short_unrelated <= 0.06
    if drawn.setting.name == "OpenAI B/16":
        assert not passes
    assert short_unrelated > shares(drawn, "short")[2] or short < shares(drawn, "short")[0]


def test_the_rules_of_version_0_1_would_not_do(drawn):
    """Guards the tests above: a cosine of 0.25 above noise and three quarters of the captions fails them."""
    own = np.eye(COUNT, dtype=bool)
    floor = {"OpenAI B/16": 0.276}.get(drawn.setting.name, 0.0)
    found = {
        length: (cosines >= 0.25) & (cosines > floor) & (percentiles(cosines, drawn.beside["long"]) >= 75)
        for length, cosines in drawn.cosines.items()
    }

    assert found["long"][own].mean() < 0.9 or found["short"][own].mean() < 0.75


def test_noise_is_no_match_by_z_even_before_its_pixels_are_looked_at(drawn):
    noise = Synthetic(drawn.setting).noise(50)
    z = z_scores(noise @ drawn.texts["short"].T, noise @ drawn.bank["short"].T)

    assert (z >= 2).mean() <= 0.06


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_whole_run_judges_by_the_bundled_bank(setting):
    synthetic = Synthetic(setting)
    topics, details = synthetic.topics(60), synthetic.details(60)
    names = [f"{number}.png" for number in range(60)]
    captions = [f"a caption of seven words or more number {number}" for number in range(60)]
    encoder = SyntheticEncoder(
        synthetic,
        dict(zip(names, synthetic.pictures(topics, details), strict=True)),
        dict(zip(captions, synthetic.captions(topics, details), strict=True)),
        statistics={"0.png": (0.4, 1.0), "1.png": (48.0, 0.01)},
    )

    found = match_pictures(encoder, names, captions, options=MatchOptions(phrases=False)).results

    assert [one.verdict for one in found[:2]] == ["undecided", "undecided"]
    assert ["blank" in found[0].reason, "noise" in found[1].reason] == [True, True]
    assert np.mean([one.is_match for one in found[2:]]) >= 0.9
    assert {(one.threshold, one.threshold_scale) for one in found} == {(2.0, "z")}
