"""The presets on real vectors: 500 COCO pictures and captions, and 171 short texts, by OpenAI's ViT-B/16."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.calibration.calibration import fit_platt
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.matching.match import MISSING_Z
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.scores import Pairing, limit_of, scores_of, verdicts
from clip_grid.clip_backend.scoring.scales import z_scores

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"
if not REAL.is_dir():
    pytest.skip(
        "the folder shared/real with vectors of real models is not beside the checkout", allow_module_level=True
    )

ENCODER = SimpleNamespace(identity=SimpleNamespace(is_sigmoid=False), logit_scale=100.0, logit_bias=0.0)
#: Draws of captions and of short texts as the bank.
DRAWS, BANKS = 4, 8
#: Match among true and unrelated captions, and among salient and wrong short texts, in percent; measured on the same
#: vectors by others.
PUBLISHED = {
    "auto": (94.5, 3.6, 77, 2.0),
    "z 1.5": (99, 8.1, 86, 4.7),
    "z 2.5": (79, 1.2, 67, 0.9),
    "percentile 90": (99, 9.9, 91, 7.2),
    "percentile 95": (97, 5.3, 84, 3.8),
    "percentile 99": (84, 1.4, 70, 1.2),
    "lenient": (100, 19, 97, 30),
    "balanced": (97, 5.1, 62, 1.0),
    "strict": (64, 0.6, 11, 0),
}
#: The first of the 171 texts name things, such as "a photo of a bicycle"; the others name surroundings, such as grass.
THINGS = 80
#: A thing is salient if at least so many of a picture's five captions name it, and wrong if none does.
SALIENT = 4


@pytest.fixture(scope="module")
def coco():
    vectors = np.load(REAL / "coco_openai_b16.npz")
    return SimpleNamespace(**{name: vectors[name] for name in vectors.files})


def features(rows) -> Features:
    return Features.from_raw(rows.astype(np.float32), [str(number) for number in range(len(rows))], "real")


def scores_among(pictures, texts, length, bank):
    """The scores of each picture with each text, among the texts of a bank [N, M]."""
    images = features(pictures)
    pairing = Pairing(images=images, texts=features(texts), is_paired=False, classes=[length] * len(texts))
    return scores_of(pairing, {length: images.similarity(features(bank))}, ENCODER)


def judged(scores, preset):
    limit = limit_of(MatchOptions(preset=preset), is_calibrated=False)
    found = np.array(verdicts(scores, limit, [""] * len(scores.cosine)))
    return found.reshape(scores.cosine.shape)


@pytest.fixture(scope="module")
def captions(coco):
    """For several draws of 128 captions as the bank: the scores of the others, and which of them are true."""
    draws = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(coco.pictures))
        bank, rest = order[:128], order[128:]
        scores = scores_among(coco.pictures[rest], coco.captions[rest], "long", coco.captions[bank])
        draws.append((scores, np.eye(len(rest), dtype=bool)))
    return draws


@pytest.fixture(scope="module")
def things(coco):
    """For several draws of 64 names of surroundings as the bank: the scores of all things, with salient and wrong."""
    named = coco.named[:, :THINGS]
    draws = []
    for draw in range(BANKS):
        bank = THINGS + np.random.default_rng(draw).permutation(len(coco.prompts) - THINGS)[:64]
        scores = scores_among(coco.pictures, coco.prompts[:THINGS], "short", coco.prompts[bank])
        draws.append((scores, named >= SALIENT, named == 0))
    return draws


def percent(flags) -> float:
    return 100 * float(np.mean(flags))


@pytest.mark.parametrize("preset", PUBLISHED)
def test_each_preset_errs_as_often_as_was_measured(captions, things, preset):
    found = [(judged(scores, preset) == "match", own) for scores, own in captions]
    short = [(judged(scores, preset) == "match", salient, wrong) for scores, salient, wrong in things]

    shares = (
        np.mean([percent(match[own]) for match, own in found]),
        np.mean([percent(match[~own]) for match, own in found]),
        np.mean([percent(match[salient]) for match, salient, _ in short]),
        np.mean([percent(match[wrong]) for match, _, wrong in short]),
    )

    assert np.abs(np.subtract(shares, PUBLISHED[preset])).max() <= 3, shares


def test_hardly_a_true_text_is_a_mismatch_and_most_false_ones_are(captions, things):
    found = [(judged(scores, "auto") == "mismatch", own) for scores, own in captions]
    short = [(judged(scores, "auto") == "mismatch", salient, wrong) for scores, salient, wrong in things]

    assert np.mean([percent(one[own]) for one, own in found]) <= 1
    assert np.mean([percent(one[~own]) for one, own in found]) == pytest.approx(85, abs=3)
    assert np.mean([percent(one[salient]) for one, salient, _ in short]) == pytest.approx(5, abs=3)
    assert np.mean([percent(one[wrong]) for one, _, wrong in short]) == pytest.approx(90, abs=3)


def test_the_rules_of_version_0_1_find_few_short_texts(things):
    """They asked for a cosine of 0.25, above noise, which reaches 0.276 with short texts."""
    found = [
        percent((scores.cosine >= 0.25)[salient] & (scores.cosine > 0.276)[salient]) for scores, salient, _ in things
    ]

    assert np.mean(found) < 45


def test_z_of_short_texts_tells_absent_phrases_from_salient_ones(things):
    missing = [((scores.z < MISSING_Z), salient, wrong) for scores, salient, wrong in things]

    assert np.mean([percent(one[salient]) for one, salient, _ in missing]) == pytest.approx(1.7, abs=3)
    assert np.mean([percent(one[wrong]) for one, _, wrong in missing]) == pytest.approx(79, abs=3)


def test_fifty_labelled_pairs_of_mixed_lengths_halve_the_misses(captions, things):
    """The default misses 14 % of the true and takes 3 % of the false; a calibration has about 7 % of both."""
    long, own = captions[0]
    short, salient, wrong = things[0]
    true = [long.z[own], short.z[salient]]
    false = [long.z[~own], short.z[wrong]]
    rng = np.random.default_rng(0)
    missed, taken = [], []
    for _ in range(60):
        z = np.concatenate([rng.choice(part, 13 - half) for half, part in enumerate((*true, *false))])
        labels = np.arange(len(z)) < 25
        slope, intercept = fit_platt(z, labels)
        limit = -intercept / slope
        missed.append(np.mean([percent(part < limit) for part in true]))
        taken.append(np.mean([percent(part >= limit) for part in false]))

    assert np.mean(missed) == pytest.approx(7.5, abs=3)
    assert np.mean(taken) == pytest.approx(6.5, abs=3)


def siglip_models():
    return json.loads((REAL / "siglip_logits.json").read_text("utf-8"))


@pytest.mark.parametrize("place", range(2))
def test_right_texts_of_siglip_lead_all_others_by_the_same_z(place):
    """Texts that name their picture beyond doubt, among the other texts of the notebook as the bank."""
    model = siglip_models()[place]
    cosines = np.array(model["scaled_cosines"], np.float32) / np.float32(model["scale"])
    pictures, texts = model["pictures"], model["texts"]
    true = {
        "apple-ipod.jpg": 'an apple with a note saying "ipod"',
        "apple-blank.jpg": "a picture of an apple",
        "cold_drink.jpg": "a photo of a cold drink on a hot day",
        "hot_drink.jpg": "a photo of a hot drink on a cold day",
    }
    for picture, text in true.items():
        row, column = pictures.index(picture), texts.index(text)
        others = [n for n, other in enumerate(texts) if not set(other.split()) & set(text.split()) - {"a", "an", "of"}]
        z = z_scores(cosines[row : row + 1, [column]], cosines[row : row + 1, others])
        assert z.item() >= 2
        # no threshold that was made for CLIP finds it
        assert cosines[row, column] < 0.25


def test_the_pictures_of_the_notebook_match_their_own_captions_alone():
    """Bank: mean and deviation of the captions of the seven other pictures, as the published figures have them."""
    cosines = json.loads((REAL / "notebook_8x8.json").read_text("utf-8"))
    for name, (mean, deviation) in {
        "OpenAI B/32": (0.160, 0.028),
        "B/32-quickgelu laion400m_e32": (0.055, 0.051),
    }.items():
        z = (np.array(cosines[name]) - mean) / deviation
        own = np.eye(len(z), dtype=bool)
        assert (z[own] >= 4).all()
        assert (z[~own] >= 2).sum() <= 1
