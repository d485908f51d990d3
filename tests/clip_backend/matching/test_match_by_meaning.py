"""The bundled model on pictures drawn afresh."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, draw, one_of, random_scene
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
        # false captions have one wrong word, which z, that is made to compare unrelated pictures, tells less well
        for scale, least in (("cosine", 0.98), ("z", 0.9)):
            assert metrics.roc_auc_score(labels, [getattr(one, scale) for one in (*true, *false)]) >= least
    assert np.mean([one.is_match for one in true]) >= 0.95
    assert np.mean([one.verdict == "mismatch" for one in true]) <= 0.01


@pytest.mark.parametrize("form", FORMS)
def test_the_wrong_phrase_is_the_weakest(demo, drawn, form):
    scenes, pictures, changed = drawn
    found = match_pictures(demo, pictures, [form(scene) for scene in changed]).results

    weakest = []
    for scene, claim, result in zip(scenes, changed, found, strict=True):
        wrong = wrong_fields(scene, claim)
        if len(wrong) == 1:
            weakest.append(result.weakest_phrase is result.phrases[FORMS[form][wrong[0]]])

    assert len(weakest) > COUNT / 2
    assert np.mean(weakest) >= 0.95


@pytest.mark.parametrize("form", FORMS)
def test_true_captions_miss_hardly_a_phrase(demo, drawn, form):
    scenes, pictures, _ = drawn

    found = match_pictures(demo, pictures, [form(scene) for scene in scenes]).results

    assert np.mean([phrase.is_missing for one in found for phrase in one.phrases]) <= 0.05


def test_blank_pictures_and_noise_are_never_a_match(demo):
    rng = np.random.default_rng(77)
    coloured = [rng.random((side, side, 3)).astype(np.float32) for side in (48, 64, 224) for _ in range(6)]
    flat = [np.full((40, 40, 3), level, np.float32) for level in (0.0, 0.3, 0.5, 1.0)]
    bell = [np.clip(rng.normal(0.5, width, (64, 64, 3)), 0, 1).astype(np.float32) for width in (0.05, 0.2, 0.5)]
    texts = [f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES]
    texts += ["a photo of a dog on the beach", "random noise", "x x x x"]

    for preset in ("auto", "lenient", "percentile 90"):
        options = MatchOptions(mode="matrix", preset=preset, phrases=False)
        found = match_pictures(demo, [*coloured, *flat, *bell], texts, options=options).results
        assert {one.verdict for one in found} == {"undecided"}


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
