"""Tests: the sheet nodes label and score images by CLIP, and make the sheet without it if no model can be used."""

from __future__ import annotations

import json

import pytest
from clip_grid.clip_backend.finding.advice import FIRST_CLIP
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.nodes.host.fake import Interrupted

from ..demo_images import demo_model, image, shape

THINGS = ("red circle", "blue star", "green heart")
WORDS = ", ".join(f"a {thing}" for thing in THINGS)


@pytest.fixture
def scenes(host):
    """Folders of three pictures each in the input folder, whose files are called 1, 2 and 3."""

    def make(*names):
        for name in names:
            folder = host.folders.input / name
            folder.mkdir()
            for number, thing in enumerate(THINGS, 1):
                shape(thing).save(folder / f"{number}.png")

    return make


def batch(directories, **inputs):
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    answer = BatchLabeledGridExporterNode().execute(directories=[directories], **lists)
    return json.loads(answer["result"][2])["grids"]


def labels(report):
    return [cell["label"] for cell in report["cells"]]


def test_pictures_of_the_graph_are_labelled_by_clip(export):
    report = json.loads(export(image(*THINGS), use_clip=True, clip_model="shapes-demo", vocabulary=WORDS)["result"][2])

    assert report["label_sources"] == {"clip": 3}
    assert [thing in label for thing, label in zip(THINGS, labels(report), strict=True)] == [True] * 3


def test_the_batch_labels_every_folder_by_clip(scenes, host):
    scenes("cats", "dogs")

    grids = batch("cats\ndogs", use_clip=True, clip_model="shapes-demo", vocabulary=WORDS)

    assert [grid["label_sources"] for grid in grids] == [{"clip": 3}, {"clip": 3}]
    assert labels(grids[0]) == labels(grids[1])
    assert all(thing in label for thing, label in zip(THINGS, labels(grids[0]), strict=True))


def test_a_linked_model_is_used_as_it_is(export):
    report = json.loads(export(image(*THINGS), use_clip=True, clip_model=demo_model(), vocabulary=WORDS)["result"][2])

    assert report["label_sources"] == {"clip": 3}
    assert [warning.split(":")[0] for warning in report["warnings"]] == [
        "shapes-demo is a toy that knows coloured shapes only"
    ]


def test_typed_labels_beat_those_of_clip(export):
    report = json.loads(
        export(image(*THINGS), labels="mine", use_clip=True, clip_model="gone", vocabulary=WORDS)["result"][2]
    )

    assert report["label_sources"] == {"text": 3} and report["warnings"] == []


@pytest.mark.parametrize("model", ["auto", "gone.safetensors", "broken.safetensors", 7])
def test_without_a_usable_model_the_sheet_is_made_with_a_warning(export, scenes, host, model):
    (host.models_folder / "clip_vision").mkdir(parents=True)
    (host.models_folder / "clip_vision" / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    scenes("cats")

    grid = batch("cats", use_clip=True, clip_model=model, vocabulary=WORDS)[0]
    single = json.loads(export(image(*THINGS), use_clip=True, clip_model=model, score_text="a heart")["result"][2])

    assert (grid["status"], grid["label_sources"]) == ("ok", {"filename": 3})
    assert "no labels from CLIP" in grid["warnings"][0]
    assert single["images_processed"] == 3
    assert [warning.partition(":")[0] for warning in single["warnings"]] == [
        "no scores from CLIP", "no labels from CLIP for the same reason; the next source was used"
    ]  # fmt: skip


def test_the_bundled_model_is_never_chosen_by_auto(scenes):
    scenes("cats")

    warning = batch("cats", use_clip=True)[0]["warnings"][0]

    assert "no CLIP in your model folders" in warning and FIRST_CLIP.name in warning


def test_a_text_gives_scores_that_are_shown_as_badges(export):
    report = json.loads(
        export(image(*THINGS), clip_model="shapes-demo", score_text="a blue star", winner="highest")["result"][2]
    )

    scores = [cell["scores"]["cosine"] for cell in report["cells"]]
    assert len(scores) == 3 and scores.index(max(scores)) == 1
    assert "clip" not in report["label_sources"]


def test_linked_scores_are_shown_as_badges_in_the_order_of_the_pictures(export):
    report = json.loads(export(image(*THINGS), scores=[0.1, 3, float("nan")], winner="highest")["result"][2])

    assert [cell["scores"].get("score") for cell in report["cells"]][:2] == [0.1, 3.0]


def test_the_scores_file_is_listed_and_never_replaced(export, host):
    (host.folders.output / "ClipGrid_00001_.scores.csv").write_text("somebody's")

    files = export(image(*THINGS), scores=[0.1, 0.2, 0.3], scores_csv=True)["ui"]["clip_grid_files"][0]

    assert [file["filename"] for file in files] == [
        "ClipGrid_00002_.png", "ClipGrid_00002_.json", "ClipGrid_00002_.scores.csv"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "message"),
    [([0.1, 0.2], "2 scores are linked to 3 pictures"), (["high"] * 3, "score 1 is 'high'")],
)
def test_scores_that_do_not_fit_are_refused(export, scores, message):
    with pytest.raises(InputError, match=message):
        export(image(*THINGS), scores=scores)


def test_a_vocabulary_outside_the_folders_is_refused(export, host, tmp_path):
    (tmp_path / "secret.txt").write_text("a\nb\n")

    with pytest.raises(ForbiddenPath):
        export(image(*THINGS), use_clip=True, clip_model="shapes-demo", vocabulary="../secret.txt")


def test_without_use_clip_no_model_is_used(export, host):
    report = json.loads(export(image(*THINGS), clip_model="shapes-demo", vocabulary="gone.txt")["result"][2])

    assert "clip" not in report["label_sources"] and not host.embeddings_folder.exists()


def test_the_user_can_stop_the_labelling(scenes, host):
    scenes("cats")
    host.steps.append((1, 1))
    host.interrupt_after = 1

    with pytest.raises(Interrupted):
        batch("cats", use_clip=True, clip_model="shapes-demo", vocabulary=WORDS)
