"""The bundled model on pictures drawn afresh."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw, one_of, random_scene
from clip_grid.tools.shapes_demo.captions import complete_caption
from clip_grid.tools.shapes_demo.dataset import changed_scene

for package in ("torch", "safetensors", "tokenizers"):
    pytest.importorskip(package)

COUNT = 200
FIELDS = ("colour", "shape", "size", "background")


def listed(scene):
    return f"{scene.colour}, {scene.shape}, {scene.size}, {scene.background} background"


#: Each form of a caption, with the place of the phrase that tells each field.
FORMS = {listed: (0, 1, 2, 3), complete_caption: (0, 0, 0, 1)}


@pytest.fixture(scope="module")
def demo():
    return load_encoder("shapes-demo")


@pytest.fixture(scope="module")
def drawn():
    """Scenes, their pictures, and scenes that differ from them in one word or have their colours swapped."""
    rng = np.random.default_rng(2024)
    scenes = [random_scene(rng, empty=0, noise=0) for _ in range(COUNT)]
    pictures = [draw(scene, one_of((48, 64, 128, 224), rng), rng) for scene in scenes]
    return scenes, pictures, [changed_scene(scene, rng) for scene in scenes]


def wrong_fields(scene, other):
    return [place for place, name in enumerate(FIELDS) if getattr(scene, name) != getattr(other, name)]


def test_true_captions_score_above_false_ones(demo, drawn):
    metrics = pytest.importorskip("sklearn.metrics")
    scenes, pictures, changed = drawn
    swapped = [*scenes[1:], scenes[0]]

    def results(claims):
        return match_pictures(demo, pictures, [complete_caption(one) for one in claims]).results

    true = results(scenes)
    for claims in (swapped, changed):
        # a neighbour may show the same
        false = [one for one, scene, claim in zip(results(claims), scenes, claims, strict=True) if claim != scene]
        labels = [1] * len(true) + [0] * len(false)
        for scale in ("cosine", "probability"):
            assert metrics.roc_auc_score(labels, [getattr(one, scale) for one in (*true, *false)]) >= 0.98
        assert metrics.roc_auc_score(labels, [one.is_match for one in (*true, *false)]) >= 0.95
    assert np.mean([one.is_match for one in true]) >= 0.98


@pytest.mark.parametrize("form", FORMS)
def test_the_wrong_phrase_is_named(demo, drawn, form):
    scenes, pictures, changed = drawn
    found = match_pictures(demo, pictures, [form(scene) for scene in changed]).results

    weakest, flagged, falsely = [], [], []
    for scene, claim, result in zip(scenes, changed, found, strict=True):
        wrong = wrong_fields(scene, claim)
        if len(wrong) == 1:
            phrase = result.phrases[FORMS[form][wrong[0]]]
            weakest.append(result.weakest_phrase is phrase)
            flagged.append(phrase.is_missing)
            falsely += [one.is_missing for one in result.phrases if one is not phrase]

    assert len(weakest) > COUNT / 2
    assert np.mean(weakest) >= 0.97
    assert np.mean(flagged) >= 0.9
    assert np.mean(falsely) <= 0.02


@pytest.mark.parametrize("form", FORMS)
def test_true_captions_miss_hardly_a_phrase(demo, drawn, form):
    scenes, pictures, _ = drawn

    found = match_pictures(demo, pictures, [form(scene) for scene in scenes]).results

    assert np.mean([phrase.is_missing for one in found for phrase in one.phrases]) <= 0.02


def test_two_wrong_phrases_are_both_named(demo, drawn):
    scenes, pictures, _ = drawn
    texts = []
    for scene in scenes:
        size = "large" if scene.size == "small" else "small"
        shape = SHAPES[(SHAPES.index(scene.shape) + 1) % len(SHAPES)]
        texts.append(f"{scene.colour}, {shape}, {size}, {scene.background} background")

    found = match_pictures(demo, pictures, texts).results

    missing = np.array([[phrase.is_missing for phrase in one.phrases] for one in found])
    assert missing[:, 1:3].mean() >= 0.9
    assert missing[:, [0, 3]].mean() <= 0.02


def noises():
    """Pictures of nothing of several kinds, none of them in the bank."""
    rng = np.random.default_rng(77)
    drawn = [draw(Scene(kind="noise"), side, rng) for side in (48, 64, 224) for _ in range(6)]
    flat = [np.full((40, 40, 3), level, np.float32) for level in (0.3, 0.5, 0.7)]
    bell = [np.clip(rng.normal(0.5, width, (64, 64, 3)), 0, 1).astype(np.float32) for width in (0.05, 0.2, 0.5)]
    cells = [np.kron(rng.random((4, 4, 3)), np.ones((16, 16, 1))).astype(np.float32) for _ in range(3)]
    return [*drawn, *flat, *bell, *cells]


def test_noise_is_never_a_match(demo):
    texts = [f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES]
    texts += [f"a {shape}" for shape in SHAPES]
    texts += [
        "a cat",
        "a photo of a dog on the beach",
        "an oil painting of a ship",
        "a woman with a red hat",
        "x x x x",
    ]

    for preset in ("threshold", "lenient", "strict"):
        options = MatchOptions(mode="matrix", preset=preset, phrases=False)
        found = match_pictures(demo, noises(), texts, options=options).results
        assert [(one.image, one.text, one.cosine) for one in found if one.is_match] == []


def test_a_text_about_noise_is_no_evidence_even_where_it_is_true(demo):
    found = match_pictures(demo, noises()[:18], ["random noise"]).results

    assert {one.verdict for one in found} <= {"undecided", "mismatch"}
    assert any("noise scores as high" in one.reason for one in found)


def test_a_long_text_is_read_whole_or_tells_what_was_left_out(demo, drawn):
    scene, picture = drawn[0][0], drawn[1][0]
    padding = "nothing else is to be seen here and there is not much more to say about it, "
    text = padding * 20 + complete_caption(scene)

    cut, mean = (
        match_pictures(demo, [picture], [text], options=MatchOptions(long_text=way, phrases=False))
        for way in ("truncate", "mean")
    )

    assert cut.results[0].dropped.endswith("background")
    assert "was not read" in cut.notes[0]
    assert (mean.results[0].dropped, mean.notes) == ("", ())
    assert mean.results[0].cosine != cut.results[0].cosine


def test_broken_files_among_good_ones_cost_only_themselves(demo, drawn, tmp_path):
    scenes, pictures, _ = drawn
    broken = tmp_path / "bröken.png"
    broken.write_bytes(b"no picture")
    holes = np.full((8, 8, 3), np.nan, np.float32)
    given = [pictures[0], broken, pictures[1], holes, tmp_path / "missing.png", pictures[2]]
    texts = [complete_caption(scenes[place]) for place in (0, 0, 1, 0, 0, 2)]

    found = match_pictures(demo, given, texts)

    assert [(one.image_index, one.text_index, one.verdict) for one in found.results] == [
        (0, 0, "match"), (2, 2, "match"), (5, 5, "match"),
    ]  # fmt: skip
    assert [one.index for one in found.failed] == [1, 3, 4]
    assert "NaN" in found.failed[1].reason


def test_a_second_run_encodes_nothing_anew(demo, drawn):
    scenes, pictures, _ = drawn
    texts = [complete_caption(scene) for scene in scenes[:8]]
    match_pictures(demo, pictures[:8], texts)
    before = demo.cache.misses

    match_pictures(demo, pictures[:8], texts)

    assert demo.cache.misses == before
