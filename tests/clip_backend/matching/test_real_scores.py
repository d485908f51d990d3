"""The presets on real vectors: 500 COCO pictures and captions, and 171 short texts, by OpenAI's ViT-B/16."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.scores import Pairing, scores_of
from clip_grid.clip_backend.matching.verdict import limit_of, verdicts

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"
if not REAL.is_dir():
    pytest.skip("the folder shared/real with vectors of real models is not beside the checkout", allow_module_level=True)

ENCODER = SimpleNamespace(identity=SimpleNamespace(is_sigmoid=False), logit_scale=100.0, logit_bias=0.0)
DRAWS = 8


@pytest.fixture(scope="module")
def coco():
    vectors = np.load(REAL / "coco_openai_b16.npz")
    return SimpleNamespace(**{name: vectors[name] for name in vectors.files})


def features(rows) -> Features:
    return Features.from_raw(rows.astype(np.float32), [str(number) for number in range(len(rows))], "real")


def judged(pictures, texts, length, bank, preset):
    """Whether each picture matches each text, and whether it is a mismatch [N, M]."""
    pictures = features(pictures)
    pairing = Pairing(images=pictures, texts=features(texts), is_paired=False, classes=[length] * len(texts))
    scores = scores_of(pairing, {length: pictures.similarity(features(bank))}, ENCODER)
    limit = limit_of(MatchOptions(preset=preset), is_calibrated=False)
    found = np.array(verdicts(scores, limit, [""] * len(pictures))).reshape(scores.cosine.shape)
    return found == "match", found == "mismatch"


def caption_shares(coco, preset):
    """Share of matches and mismatches among true captions and among those of other pictures."""
    shares = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(coco.pictures))
        bank, rest = order[:128], order[128:]
        match, mismatch = judged(coco.pictures[rest], coco.captions[rest], "long", coco.captions[bank], preset)
        own = np.eye(len(rest), dtype=bool)
        shares.append([match[own].mean(), mismatch[own].mean(), match[~own].mean(), mismatch[~own].mean()])
    return 100 * np.mean(shares, axis=0)


def short_shares(coco, preset):
    """Share of matches and mismatches among what three of five captions name, and among what none names."""
    shares = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(coco.prompts))
        bank, rest = order[:64], order[64:]
        match, mismatch = judged(coco.pictures, coco.prompts[rest], "short", coco.prompts[bank], preset)
        named = coco.named[:, rest]
        true, wrong = named >= 3, named == 0
        shares.append([match[true].mean(), mismatch[true].mean(), match[wrong].mean(), mismatch[wrong].mean()])
    return 100 * np.mean(shares, axis=0)


if __name__ == "__main__":
    v = np.load(REAL / "coco_openai_b16.npz")
    c = SimpleNamespace(**{name: v[name] for name in v.files})
    from clip_grid.clip_backend.matching.result import PRESETS
    for p in PRESETS:
        print(p, caption_shares(c, p).round(1), short_shares(c, p).round(1))
