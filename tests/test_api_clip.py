"""CLIP by one call: labels, matches, rankings and pairs, with the model that comes with the package."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from clip_grid import api
from clip_grid.api.models import ModelChoice
from clip_grid.clip_backend.finding import names
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import Scene, draw
from clip_grid.errors import InputError, OutputError, PictureError
from clip_grid.tools.shapes_demo.captions import complete_caption

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

DEMO = "shapes-demo"
SCENES = [
    Scene(kind="shape", colour=colour, shape=shape, size="large", background=background)
    for colour, shape, background in (
        ("red", "circle", "white"), ("blue", "star", "yellow"), ("green", "square", "black"), ("white", "heart", "red")
    )
]  # fmt: skip
LABELS = ["a red circle", "a blue star", "a green square", "a white heart"]


def pictures():
    rng = np.random.default_rng(11)
    return [draw(scene, 128, rng) for scene in SCENES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "bilder ü"
    path.mkdir()
    for name, picture in zip("abcd", pictures(), strict=True):
        picture.save(path / f"{name}.png")
    return path


def test_labels_come_for_folders_and_for_pictures_alike(folder):
    by_folder = api.label_images(folder, labels=LABELS, model=DEMO)
    in_memory = api.label_images(pictures(), labels=LABELS, model=DEMO)

    assert [one.label for one in by_folder.pictures] == [one.label for one in in_memory.pictures] == LABELS
    assert by_folder.pictures[0].name == str(folder / "a.png")


def test_a_broken_picture_costs_itself_alone(folder):
    (folder / "b.png").write_bytes(b"no picture")

    run = api.label_images(folder, labels=LABELS, model=DEMO)

    assert [one.label for one in run.pictures] == [LABELS[0], *LABELS[2:]]
    assert [Path(one.name).name for one in run.failed] == ["b.png"]
    assert run.status == "partial"


def test_labels_and_a_vocabulary_together_are_refused(folder):
    with pytest.raises(InputError, match="give one of them"):
        api.label_images(folder, labels=LABELS, vocabulary="dog, cat", model=DEMO)


def test_an_unknown_option_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'top_k'"):
        api.label_images(pictures(), labels=LABELS, model=DEMO, topk=2)


def test_no_pictures_are_refused_before_a_model_is_loaded(tmp_path):
    with pytest.raises(InputError, match="there are no pictures"):
        api.label_images(tmp_path, labels=LABELS, model="no such model")


def test_a_folder_without_pictures_is_named_with_the_sheets_in_it(folder):
    sheets = folder / "sheets"
    api.export_grid(folder, sheets / "one.png")

    with pytest.raises(InputError, match=r"no pictures in .*sheets beside 1 sheet of this program; give a folder"):
        api.label_images(sheets, labels=LABELS, model=DEMO)


@pytest.mark.parametrize("images", [None, 3])
def test_what_is_no_pictures_is_refused_with_its_type(images):
    for ask in (lambda: api.label_images(images, labels=LABELS), lambda: api.match(images, "a star")):
        with pytest.raises(InputError, match=f"the pictures are a {type(images).__name__}; give a folder"):
            ask()


def test_pictures_and_labels_may_come_one_by_one():
    run = api.label_images(iter(pictures()), labels=iter(LABELS), model=DEMO)

    assert [one.label for one in run.pictures] == LABELS


def test_a_vocabulary_may_be_a_path_or_its_text(folder):
    words = folder / "words.txt"
    words.write_text("\n".join(LABELS), "utf-8")

    runs = [api.label_images(folder, vocabulary=given, model=DEMO) for given in (words, str(words))]

    assert [[one.label for one in run.pictures] for run in runs] == [LABELS, LABELS]
    with pytest.raises(InputError, match="the vocabulary is a list; give a Vocabulary, a file, or words"):
        api.label_images(folder, vocabulary=LABELS, model=DEMO)


def test_texts_that_are_none_are_refused(folder):
    with pytest.raises(InputError, match="texts are a NoneType"):
        api.match(folder, None, model=DEMO)
    with pytest.raises(InputError, match="ranked by one of text, scores and references"):
        api.rank(folder, text=None, model=DEMO)


def test_a_folder_of_several_is_not_taken_for_one_picture(folder):
    with pytest.raises(InputError, match="has 4 pictures; give the file of one of them"):
        api.analyze_image_text_match(folder, "a red circle", model=DEMO)
    with pytest.raises(InputError, match="has 4 pictures; give the file of one of them"):
        api.CLIPLabeler(DEMO, labels=LABELS).generate_label(folder)


def test_pictures_match_their_own_captions(folder):
    texts = [complete_caption(scene) for scene in SCENES]

    run = api.match(folder, texts, model=DEMO)
    turned = api.match(folder, texts[1:] + texts[:1], model=DEMO, phrases=False)

    assert [one.verdict for one in run.results] == ["match"] * 4
    assert not any(one.is_match for one in turned.results)


def test_one_text_is_scored_against_all_pictures(folder):
    run = api.match(folder, "a blue star", model=DEMO)

    assert [one.is_match for one in run.results] == [False, True, False, False]


def test_the_dict_of_one_match_has_the_names_of_the_service(folder):
    told = api.analyze_image_text_match(folder / "a.png", "a red circle on a white background", model=DEMO)

    assert told["is_match"] is told["clip_is_match"] is True
    assert told["similarity_score"] == told["clip_similarity_score"] == told["cosine"]
    assert told["match_status"] == f"Match (score: {told['cosine']:.3f})"


def test_the_dict_of_one_match_is_judged_as_match_judges_or_by_a_threshold_that_is_given(folder):
    text = "a red circle on a white background"

    told = api.analyze_image_text_match(folder / "a.png", text, model=DEMO)
    by_cosine = api.analyze_image_text_match(folder / "a.png", text, 0.99, model=DEMO)
    by_none = api.analyze_image_text_match(folder / "a.png", text, 0.0, model=DEMO)

    assert told["reason"] == api.match(folder / "a.png", text, model=DEMO).results[0].reason
    assert (told["threshold"], told["threshold_scale"]) == (2.0, "z")
    assert (by_cosine["is_match"], by_cosine["threshold_scale"]) == (False, "cosine")
    assert (by_none["threshold"], by_none["threshold_scale"]) == (0.0, "cosine")


def test_a_single_picture_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(PictureError, match=r"a\.png"):
        api.analyze_image_text_match(tmp_path / "a.png", "a cat", model=DEMO)


def test_ranking_goes_by_text_by_reference_or_by_numbers(folder):
    rng = np.random.default_rng(12)
    like = draw(SCENES[3], 96, rng)

    by_text = api.rank(folder, text="a green square", model=DEMO)
    by_reference = api.rank(folder, references=[like], model=DEMO)
    by_numbers = api.rank(folder, scores=[0.1, 3, 2, 1], k=2)

    assert by_text.pictures[0].index == 2
    assert by_reference.pictures[0].index == 3
    assert [one.index for one in by_numbers.kept] == [1, 2]


def test_near_duplicates_are_found_beside_given_scores(folder):
    twice = [*pictures(), pictures()[0].resize((96, 96))]

    ranking = api.rank(twice, scores=[1, 2, 3, 4, 5], model=DEMO, keep="all", duplicates=0.95)

    assert [one.index for one in ranking.kept] == [4, 3, 2, 1]
    assert "near-duplicate" in ranking.rejected[0].reason


@pytest.mark.parametrize("given", [{}, {"text": "a", "scores": [1, 2, 3, 4]}])
def test_a_ranking_wants_one_measure(folder, given):
    with pytest.raises(InputError, match="exactly one"):
        api.rank(folder, model=DEMO, **given)


def test_the_labeler_keeps_its_place_for_what_cannot_be_read(folder, caplog):
    (folder / "b.png").write_bytes(b"no picture")
    labeler = api.CLIPLabeler(DEMO, labels=LABELS)

    labels = labeler.batch_generate_labels(folder)

    assert labels == ["a red circle", "unlabeled", "a green square", "a white heart"]
    assert "b.png is unlabeled" in caplog.text
    assert labeler.generate_label(folder / "d.png") == "a white heart"


def pairs_file(folder: Path, count: int = 4) -> Path:
    """Right and wrong captions of the pictures, in turn; the pictures are drawn anew as often as is asked."""
    path = folder.parent / "pairs.csv"
    rng = np.random.default_rng(13)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_path", "text", "label"])
        for place in range(count):
            name = f"ä{place}.png"
            draw(SCENES[place % 4], 96, rng).save(folder.parent / name)
            rows.writerow([name, complete_caption(SCENES[place % 4]), 1])
            rows.writerow([name, complete_caption(SCENES[(place + 1) % 4]), 0])
    return path


def test_pairs_are_scored_and_measured(folder):
    out = folder.parent / "out.csv"

    report = api.match_pairs(pairs_file(folder), out, model=DEMO)

    assert (report.rows, report.failed, report.metrics.roc_auc) == (8, 0, 1.0)
    with out.open(encoding="utf-8-sig", newline="") as file:
        assert [row["clip_is_match"] for row in csv.DictReader(file)][::2] == ["true"] * 4


def test_a_calibration_learnt_from_pairs_judges_others(folder):
    kept = folder.parent / "calibration.json"

    api.match_pairs(pairs_file(folder, 8), model=DEMO, save_calibration=kept)
    judged = api.match(folder, "a red circle", model=DEMO, calibration=kept)

    assert json.loads(kept.read_text("utf-8"))["roc_auc"] == 1.0
    assert {one.probability_scale for one in judged.results} == {"calibrated"}
    assert [one.is_match for one in judged.results] == [True, False, False, False]


def test_a_calibration_never_replaces_the_pairs_and_other_files_only_if_it_may(folder):
    pairs = pairs_file(folder, 8)
    notes = folder.parent / "notes.json"
    notes.write_text("{}")

    for path in (notes, pairs):
        with pytest.raises(OutputError, match=f"{path.name} exists and is not a calibration of this program"):
            api.match_pairs(pairs, model="no model is opened before that", save_calibration=path)
    with pytest.raises(InputError, match="the calibration would replace the pairs"):
        api.match_pairs(pairs, model="nor before that", save_calibration=pairs, overwrite=True)
    for overwrite in (True, False):
        api.match_pairs(pairs, model=DEMO, save_calibration=notes, overwrite=overwrite)

    assert json.loads(notes.read_text("utf-8"))["clip_grid"] == "calibration"


def test_two_runs_never_write_one_file_of_results_at_once(folder):
    pairs, out = pairs_file(folder), folder.parent / "out.csv"

    def again(done: int, total: int) -> None:
        with pytest.raises(OutputError, match=r"another run is writing .*out\.csv; wait until it is done"):
            api.match_pairs(pairs, out, model=DEMO)

    assert api.match_pairs(pairs, out, model=DEMO, progress=again).done == 8


def test_the_default_model_is_named_in_the_notes(folder, monkeypatch):
    monkeypatch.setenv(names.MODEL_VARIABLE, DEMO)

    run = api.match(folder, "a red circle")

    assert any("CLIP_GRID_MODEL names" in note for note in run.notes)


# --- sheets


def test_a_sheet_is_labelled_by_clip_and_says_so(folder):
    words = "red circle, blue star, green square, white heart"

    report = api.export_grid(
        folder, folder.parent / "s.png", use_clip=True, clip_model=DEMO, vocabulary=words, score_text="a blue star"
    )

    assert [cell.label for cell in report.cells] == words.split(", ")
    assert report.label_sources == {"clip": 4}
    assert report.cells[1].scores["cosine"] == max(cell.scores["cosine"] for cell in report.cells)
    assert all(0 < cell.scores["clip probability"] <= 1 for cell in report.cells)


def test_a_sheet_takes_an_encoder_that_is_loaded(folder):
    encoder = api.load_encoder(DEMO, device="cpu")
    words = "red circle, blue star, green square, white heart"

    for model in (encoder, DEMO, ModelChoice(DEMO)):
        report = api.export_grid(folder, folder.parent / "s.png", use_clip=True, vocabulary=words, model=model)
        assert [cell.label for cell in report.cells] == words.split(", ")
    batch = api.export_batch([folder], folder.parent / "sheets", use_clip=True, vocabulary=words, model=encoder)
    assert [cell.label for cell in batch.grids[0].cells] == words.split(", ")
    planned, _ = api.plan_export(folder, folder.parent / "s.png", use_clip=True, vocabulary=words, model=encoder)
    assert planned.plan.pages
    with pytest.raises(InputError, match="both model and clip_model were given"):
        api.export_grid(folder, folder.parent / "s.png", use_clip=True, clip_model=DEMO, model=encoder)


def test_without_a_usable_model_the_sheet_is_made_from_file_names(folder):
    report = api.export_grid(folder, folder.parent / "s.png", use_clip=True, clip_model="no such model")

    assert report.label_sources == {"filename": 4}
    assert any("no labels from CLIP: there is no model 'no such model'" in warning for warning in report.warnings)


def test_a_broken_model_costs_the_labels_only(folder):
    broken = folder.parent / "clip.safetensors"
    broken.write_bytes(b"\x10" + b"\0" * 40)

    report = api.export_grid(folder, folder.parent / "s.png", use_clip=True, clip_model=str(broken))

    assert report.images_processed == 4
    assert any("no labels from CLIP" in warning and "clip.safetensors" in warning for warning in report.warnings)


def test_no_model_is_opened_where_every_picture_has_a_label(folder):
    inputs = api.SheetInputs(labels=["1", "2", "3", "4"])

    report = api.export_grid(folder, folder.parent / "s.png", inputs=inputs, use_clip=True, clip_model="no such model")

    assert report.warnings == ()


def test_all_folders_of_a_batch_share_one_model(folder, tmp_path):
    report = api.export_batch(
        [folder, folder], tmp_path / "sheets", use_clip=True, clip_model=DEMO, vocabulary="red circle, blue star"
    )

    assert [grid.label_sources["clip"] for grid in report.grids] == [2, 2]


def test_the_function_of_the_older_tool_takes_its_flags(folder):
    told = api.assemble_grid_enhanced(folder, folder.parent / "s.png", use_clip=True, clip_model=DEMO)

    assert told["images_processed"] == 4


def test_the_report_of_a_sheet_says_which_model_was_taken(folder, monkeypatch):
    monkeypatch.setenv(names.MODEL_VARIABLE, DEMO)

    report = api.export_grid(folder, folder.parent / "s.png", use_clip=True, score_text="a blue star")

    assert sum("CLIP_GRID_MODEL names" in warning for warning in report.warnings) == 1


def test_sheets_of_this_program_are_not_labelled(folder):
    api.export_grid(folder, folder / "sheet.png")

    run = api.label_images(folder, labels=LABELS, model=DEMO)

    assert [one.label for one in run.pictures] == LABELS
    assert "1 sheet of this program left out" in run.notes


def test_a_choice_of_a_model_is_opened_once_and_only_when_it_is_needed(folder):
    choice = ModelChoice("no such model")

    api.export_grid(folder, folder.parent / "s.png", use_clip=False)
    with pytest.raises(InputError, match="no such model"):
        api.label_images(folder, labels=LABELS, model=choice)

    opened = ModelChoice(DEMO)
    assert opened() is opened()
    assert api.label_images(folder, labels=LABELS, model=opened).pictures[0].label == LABELS[0]


def test_opening_a_choice_of_a_model_does_not_change_its_key():
    # match-batch goes on with what a model of the same key has done
    choice = ModelChoice(DEMO)
    before = choice.key

    choice()

    assert choice.key == before != ""


def test_contrast_says_what_tells_the_pictures_apart(folder):
    run = api.label_images(
        folder, vocabulary="red circle, blue star, green square, white heart", contrast=True, model=DEMO
    )

    assert len({one.label for one in run.pictures}) == 4


def test_a_choice_differs_once_its_file_does(tmp_path: Path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes((shapes_demo_path() / "model.safetensors").read_bytes())
    before = ModelChoice(file).key
    assert ModelChoice(file).key == before != ModelChoice(file, dtype="bf16").key

    file.with_name("new").write_bytes(file.read_bytes())
    file.with_name("new").replace(file)

    assert ModelChoice(file).key != before
    assert ModelChoice(tmp_path / "gone.safetensors").key == ModelChoice().key == ""
