"""The figures of a model against numpy, against published cosines and on real vectors; and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.model_check import check as check_module
from clip_grid.clip_backend.model_check import pictures as picture_module
from clip_grid.clip_backend.model_check.check import ONLY_DRAWINGS, check_encoder
from clip_grid.clip_backend.model_check.pictures import check_pictures, nothing_pictures, published_cosines

from .synthetic_model import LONG, SHORT, SyntheticModel, synthetic_model, unit, vectors_of

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"


def test_figures_of_the_bank_are_those_of_numpy():
    model = synthetic_model()
    run = check_encoder(model)
    pictures, long = model.pictures[:12], vectors_of(model, LONG)

    for length, texts in (("short", SHORT), ("long", LONG)):
        cosines = pictures @ vectors_of(model, texts).T
        figures = run.banks[length]
        measured = [figures.mean, figures.deviation, figures.picture_deviation, figures.text_deviation]
        expected = [
            cosines.mean(),
            np.mean([row.std() for row in cosines]),
            cosines.mean(1).std(),
            cosines.mean(0).std(),
        ]
        assert measured == pytest.approx(expected, abs=1e-6)
    assert run.ratio == pytest.approx(run.banks["long"].deviation / run.banks["short"].deviation)
    among = [pictures[i] @ pictures[j] for i in range(12) for j in range(i)]
    assert run.among_pictures == pytest.approx((np.mean(among), np.std(among)), abs=1e-6)
    captions = [long[i] @ long[j] for i in range(128) for j in range(i)]
    assert run.among_captions == pytest.approx((np.mean(captions), np.std(captions)), abs=1e-6)
    assert run.gap == pytest.approx(np.linalg.norm(pictures.mean(0) - long.mean(0)), abs=1e-6)


def test_ranks_and_z_are_those_of_numpy():
    model, shown = synthetic_model(seed=3), check_pictures()
    run = check_encoder(model)
    captions = vectors_of(model, shown.captions.values())

    for place, (own, name) in enumerate(zip(run.order, shown.words, strict=True)):
        picture = model.pictures[place]
        eight, word = captions @ picture, float(vectors_of(model, [shown.words[name]])[0] @ picture)
        long, short = (vectors_of(model, texts) @ picture for texts in (LONG, SHORT))
        assert own.picture == name and own.caption == shown.captions[name] and own.word == shown.words[name]
        assert own.cosines == pytest.approx(eight, abs=1e-6)
        assert own.rank == 1 + np.argsort(-eight).tolist().index(place)
        assert own.z == pytest.approx((eight[place] - long.mean()) / long.std(), abs=1e-3)
        assert own.word_z == pytest.approx((word - short.mean()) / short.std(), abs=1e-3)


def test_figures_of_nothing_are_those_of_numpy():
    model = synthetic_model()
    run = check_encoder(model)
    rows, above = model.pictures[12:], []
    for texts in (SHORT, LONG):
        cosines = rows @ vectors_of(model, texts).T
        above.append((cosines - cosines.mean(1, keepdims=True)) / cosines.std(1, keepdims=True) >= 2)
    matches = np.concatenate(above, axis=1)  # [30, 192]

    start, undecided = 0, []
    for figures, (kind, several) in zip(run.nothing, nothing_pictures().items(), strict=True):
        own = rows[start : start + len(several)]
        assert (figures.kind, figures.pictures) == (kind, len(several))
        assert figures.least_alike == pytest.approx((own @ own.T).min(), abs=1e-6)
        assert figures.above_z == pytest.approx(matches[start : start + len(several)].mean(), abs=1e-6)
        beside = (own @ model.pictures[:12].T).max(axis=0)
        assert figures.nearest == list(check_pictures().pictures)[beside.argmax()]
        assert figures.nearest_cosine == pytest.approx(beside.max(), abs=1e-6)
        undecided += [kind not in ("coarse mosaic", "clouds")] * len(several)
        start += len(several)
    assert [figures.by_pixels for figures in run.nothing] == [3, 3, 3, 0, 3, 3, 3, 0, 6]
    assert run.nothing_matched == pytest.approx(matches[~np.array(undecided)].sum() / matches.size, abs=1e-9)


def test_texts_that_match_nothing_are_told_where_pixels_do_not_tell(monkeypatch):
    model = synthetic_model()
    noise = model.pictures[12:].mean(axis=0)
    fond = {text: unit(vectors_of(model, [text])[0] + 0.5 * noise) for text in [*SHORT[:7], *LONG[:14]]}
    assert check_encoder(model.with_texts(fond)).nothing_matched <= 0.03

    monkeypatch.setattr(check_module, "emptiness", lambda statistics: "")
    run = check_encoder(model.with_texts(fond))

    assert run.nothing_matched == pytest.approx(21 / 192, abs=0.01)
    assert "10.9% of texts match pictures of nothing; usual are 3% at most" in run.warnings


# published cosines of ViT-B/32


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("off", [0.0, 0.05])
def test_cosines_of_b32_are_compared_with_the_published_ones(photographs, stated, off):
    model = like_published("OpenAI ViT-B/32", off)
    identity = replace(model.identity, space="openai/clip-vit-base-patch32") if stated else model.identity

    run = check_encoder(replace(model, identity=identity))

    assert run.published["OpenAI ViT-B/32"] == pytest.approx(off, abs=1e-5)
    assert run.published["LAION-400M ViT-B/32"] > 0.1
    told = [warning for warning in run.warnings if "published" in warning]
    assert bool(told) == bool(off)
    far = "the cosines are up to 0.05 away from the published ones of OpenAI ViT-B/32"
    if off and stated:
        assert told[0].startswith(f"{far}; unless it was fine-tuned, check the tokenizer, the activation")
        assert run.conclusion == "calibrate"
    elif off:
        assert told == [f"{far}, as those of another training are"]


def like_published(name: str, off: float) -> SyntheticModel:
    """A ViT-B/32 whose cosines are the published ones, but for one caption."""
    shown = check_pictures()
    model = replace(synthetic_model(), shape=(768, (7, 7), 512))
    rows = {one: np.array(row) for one, row in published_cosines()[name].items()}
    rows["camera"] = np.array([0.17, 0.15, 0.17, 0.2, 0.3, 0.18, 0.2, 0.14])
    rows["cat"] = rows["cat"] - np.array([0, off, 0, 0, 0, 0, 0, 0])
    # pictures stay as they are; captions are the vectors of least length with these cosines, and an axis of their own
    pictures = model.pictures[:5].astype(np.float64)
    wanted = np.stack([rows[name] for name in shown.words])  # [5, 8]
    captions = (np.linalg.pinv(pictures) @ wanted).T
    lengths = np.linalg.norm(captions, axis=1, keepdims=True)
    assert (lengths < 1).all()
    own = np.random.default_rng(0).standard_normal(captions.shape)
    own -= (own @ np.linalg.pinv(model.pictures.astype(np.float64))) @ model.pictures
    captions += own / np.linalg.norm(own, axis=1, keepdims=True) * np.sqrt(1 - lengths**2)
    return model.with_texts(dict(zip(shown.captions.values(), captions.astype(np.float32), strict=True)))


def test_only_photographs_by_a_b32_are_compared(photographs, monkeypatch):
    model = synthetic_model()
    assert check_encoder(model).published == {}

    monkeypatch.setattr(picture_module, "find_spec", lambda name: None)
    assert check_encoder(replace(synthetic_model(), shape=(768, (7, 7), 512))).published == {}


# the report


def test_the_report_is_plain_json_and_names_no_folder():
    model = synthetic_model()
    name = (
        "/home/me/models--openai--clip-vit-base-patch32/snapshots/abc/model.safetensors + /home/me/clip_g.safetensors"
    )

    run = check_encoder(replace(model, identity=replace(model.identity, name=name, assumed=("activation",))))
    report = json.loads(json.dumps(run.to_dict()))

    assert report["model"]["files"] == ["openai/clip-vit-base-patch32@abc/model.safetensors", "clip_g.safetensors"]
    assert "/home" not in json.dumps(report)
    assert {"model", "pictures", "bank_version", "banks", "ratio", "among_pictures", "among_captions", "gap"} <= set(
        report
    )
    assert {"captions", "order", "published", "nothing", "nothing_matched"} <= set(report)
    assert {"limits", "warnings", "conclusion", "sentence"} <= set(report)
    assert report["limits"]["deviation"] == [0.012, 0.07]


def test_a_pair_of_files_is_calibrated_with_both():
    model = synthetic_model()
    identity = replace(model.identity, name="clip_vision_g.safetensors + clip g.safetensors")
    alike = {text: vectors_of(model, SHORT[:1])[0] for text in SHORT}

    run = check_encoder(replace(model, identity=identity).with_texts(alike))

    assert "--model clip_vision_g.safetensors --text-encoder 'clip g.safetensors' --save-calibration" in run.sentence


def test_notes_say_which_pictures_stand_in(photographs, monkeypatch):
    assert check_encoder(replace(synthetic_model(), notes=("a note",))).notes == ("a note",)

    monkeypatch.setattr(picture_module, "find_spec", lambda name: None)
    assert check_encoder(synthetic_model()).notes == (ONLY_DRAWINGS,)


def test_progress_counts_all_pictures():
    seen: list[tuple[int, int]] = []

    check_encoder(synthetic_model(), progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (42, 42)


# real vectors


def test_the_figures_of_a_real_model_are_usual():
    """Photographs, captions and short texts by OpenAI's ViT-B/16, in the places of the check's own."""
    if not REAL.is_dir():
        pytest.skip("the folder shared/real with vectors of real models is not beside the checkout")
    shown, data = check_pictures(), np.load(REAL / "coco_openai_b16.npz")
    pictures, captions, prompts = (unit_rows(data[name]) for name in ("pictures", "captions", "prompts"))
    model = synthetic_model()
    texts = dict(zip(shown.captions.values(), captions[:8], strict=True))
    texts |= dict(zip(LONG, captions[100:228], strict=True)) | dict(zip(SHORT, prompts[100:164], strict=True))
    texts |= {word: prompts[int(data["named"][place].argmax())] for place, word in enumerate(shown.words.values())}
    real = np.concatenate([pictures[:12], pictures[400:430]])

    run = check_encoder(replace(model, pictures=real).with_texts(texts))

    # published: 0.188 and 0.162, 0.021 and 0.045, 0.53, 0.85
    assert (run.banks["short"].mean, run.banks["long"].mean) == pytest.approx((0.188, 0.162), abs=0.02)
    assert (run.banks["short"].deviation, run.banks["long"].deviation) == pytest.approx((0.021, 0.045), abs=0.006)
    assert (run.among_pictures[0], run.gap) == pytest.approx((0.53, 0.85), abs=0.06)
    assert [own.rank for own in run.order].count(1) >= 4
    assert not any(warning.startswith("the deviation of short") for warning in run.warnings)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    return Features.from_raw(rows, map(str, range(len(rows))), "real").vectors
