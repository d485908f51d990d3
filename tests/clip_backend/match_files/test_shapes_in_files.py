from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.calibration.calibration import fit_calibration, read_calibration
from clip_grid.clip_backend.match_files.batch import match_batch
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.csv_cells import csv_text

for package in ("torch", "tokenizers", "safetensors"):
    pytest.importorskip(package)
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.commands.shape_drawing import draw, random_scene
from clip_grid.tools.shapes_demo.captions import complete_caption
from clip_grid.tools.shapes_demo.dataset import changed_scene

COUNT = 80


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("shapes-demo", device="cpu", encoders=EncoderCache())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pictures with their own captions, and with captions of which one word is wrong; one file is missing."""
    folder = tmp_path_factory.mktemp("shapes é")
    rng = np.random.default_rng(4)
    rows = [("gone.png", "a red circle", True)]
    for number in range(COUNT):
        scene = random_scene(rng, empty=0, noise=0)
        draw(scene, 96, rng).save(folder / f"{number}.png")
        is_match = number % 2 == 0
        rows.append((f"{number}.png", complete_caption(scene if is_match else changed_scene(scene, rng)), is_match))
    path = folder / "pairs.csv"
    path.write_text(csv_text(["image_path", "text", "label"], rows), "utf-8", newline="")
    return path


@pytest.fixture(scope="module")
def report(pairs, encoder):
    return match_batch(pairs, None, lambda: encoder, options=MatchOptions())


def test_true_captions_are_told_from_those_with_a_wrong_word(report):
    assert (report.status, report.done, report.failed) == ("partial", COUNT, 1)
    # by z, which one wrong word lowers little
    assert report.metrics.roc_auc >= 0.85


def test_a_second_run_over_the_same_pictures_makes_no_forward_pass(pairs, report, encoder, tmp_path):
    misses = encoder.cache.misses

    again = match_batch(pairs, tmp_path / "out.csv", lambda: encoder, options=MatchOptions())

    assert encoder.cache.misses == misses
    assert again.results == report.results


def test_a_calibration_from_one_half_gives_the_other_half_its_probabilities(pairs, report, encoder, tmp_path):
    labels, z = report.labelled()
    fit_calibration(z[: COUNT // 2], labels[: COUNT // 2], encoder).save(tmp_path / "c.json")

    calibrated = match_batch(
        pairs, None, lambda: encoder, options=MatchOptions(), calibration=read_calibration(tmp_path / "c.json")
    )

    results = [one for one in calibrated.results[-COUNT // 2 :] if one.result]
    assert {one.result.probability_scale for one in results} == {"calibrated"}
    assert np.mean([(one.result.probability > 0.5) == one.row.label for one in results]) >= 0.75


def test_texts_that_were_not_read_to_their_end_are_counted_over_the_whole_file(pairs, encoder, tmp_path):
    texts = ["a red circle " * (1 if number % 3 else 50) for number in range(150)]
    rows = [(str(pairs.parent / f"{number % 7}.png"), text) for number, text in enumerate(texts)]
    (tmp_path / "long.csv").write_text(csv_text(["image", "text"], rows), "utf-8", newline="")

    options = MatchOptions(long_text="truncate", phrases=False)
    told = match_batch(tmp_path / "long.csv", None, lambda: encoder, options=options)

    unread = [note for note in told.notes if "was not read" in note]
    assert [note[: len("the end of 50 of 150 texts")] for note in unread] == ["the end of 50 of 150 texts"]


def test_the_places_of_pictures_are_those_of_the_rows(report):
    assert [one.result.image_index for one in report.results if one.result] == list(range(1, COUNT + 1))
    assert {one.result.picture_percentile for one in report.results if one.result} == {None}
