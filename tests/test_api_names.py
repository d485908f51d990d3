"""Names and keywords that scripts of other tools call: labels, similarities, collected pictures, lists of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_grid import api
from clip_grid.clip_backend.shapes_demo import SHAPES_DEMO
from clip_grid.commands.shape_drawing import Scene, draw
from clip_grid.errors import InputError, PictureError
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

LABELS = ("a red circle", "a blue star", "a green square")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A file for each label, in their order."""
    rng = np.random.default_rng(3)
    paths = []
    for label in LABELS:
        _, colour, shape = label.split()
        scene = Scene(kind="shape", colour=colour, shape=shape, size="large", background="yellow")
        paths.append(tmp_path / "in" / f"{len(paths) + 1}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        draw(scene, 96, rng).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def labeler() -> api.CLIPLabeler:
    return api.CLIPLabeler(model_name=SHAPES_DEMO, labels=LABELS, device="cpu")


# --- CLIPLabeler


def test_labels_are_given_for_the_keywords_of_the_script(labeler, files):
    assert labeler.generate_label(image_path=str(files[1])) == LABELS[1]
    assert labeler.batch_generate_labels(image_paths=list(map(str, files))) == list(LABELS)
    assert labeler.batch_generate_labels(image_paths=files[0].parent) == list(LABELS)


def test_a_missing_file_costs_a_batch_its_own_label_alone(labeler, files, caplog):
    missing, broken = files[0].with_name("nowhere.png"), files[0].with_name("broken.png")
    broken.write_bytes(b"no picture")

    labels = labeler.batch_generate_labels([files[2], missing, files[0], broken, "no*thing.png", files[0]])

    assert labels == [LABELS[2], "unlabeled", LABELS[0], "unlabeled", "unlabeled", LABELS[0]]
    for name in ("nowhere.png", "broken.png", "no*thing.png"):
        assert f"{name} is unlabeled: " in caplog.text
    run = labeler.label([missing, files[1]])
    assert [one.label for one in run.pictures] == [LABELS[1]]
    assert [Path(one.name).name for one in run.failed] == ["nowhere.png"]


def test_a_single_missing_file_and_no_pictures_are_no_error(labeler, files):
    assert labeler.generate_label(files[0].with_name("nowhere.png")) == "unlabeled"
    assert labeler.batch_generate_labels([]) == []


def test_several_pictures_are_not_taken_for_one(labeler, files):
    for several in (files[0].parent, files[0].parent / "*.png"):
        with pytest.raises(InputError, match="has 3 pictures; give the file of one of them"):
            labeler.generate_label(image_path=several)


def test_files_and_pictures_may_stand_in_one_list(labeler, files):
    with Image.open(files[1]) as opened:
        pixels = np.asarray(opened.convert("RGB"))

    assert labeler.batch_generate_labels([files[0], pixels, Image.fromarray(pixels)]) == [LABELS[0], *[LABELS[1]] * 2]


def test_a_model_that_is_not_there_is_an_error_with_the_cure(files):
    with pytest.raises(InputError, match="download=True"):
        api.CLIPLabeler("somebody/nothing").generate_label(image_path=files[0])


# --- similarities


def test_a_similarity_is_the_cosine_of_a_match(files):
    expected = api.match(files[0], LABELS[0], model=SHAPES_DEMO).results[0].cosine

    assert api.compute_similarity(image_path=files[0], text=LABELS[0], model=SHAPES_DEMO) == pytest.approx(expected)
    assert expected > api.compute_similarity(files[0], LABELS[1], model=SHAPES_DEMO)
    with pytest.raises(PictureError, match="broken"):
        files[0].with_name("broken.png").write_bytes(b"no picture")
        api.compute_similarity(files[0].with_name("broken.png"), "a star", model=SHAPES_DEMO)


def test_similarities_of_many_keep_their_places_whatever_is_missing(files, caplog):
    encoder = api.load_encoder(SHAPES_DEMO, device="cpu")
    paths = [files[0], files[0].with_name("nowhere.png"), files[2], files[0]]
    texts = [LABELS[0], LABELS[1], LABELS[1], LABELS[2]]

    pairs = api.batch_compute_similarity(image_paths=paths, texts=texts, model=encoder)
    one_text = api.batch_compute_similarity(paths, LABELS[0], model=encoder)

    unit = encoder.encode_images([files[0], files[2]]).image_embeds_norm.numpy()
    cosines = unit @ encoder.encode_texts(LABELS).vectors.T
    assert pairs[1] is one_text[1] is None
    assert [one for one in pairs if one is not None] == pytest.approx([cosines[0, 0], cosines[1, 1], cosines[0, 2]])
    assert [one for one in one_text if one is not None] == pytest.approx([cosines[0, 0], cosines[1, 0], cosines[0, 0]])
    assert "nowhere.png has no similarity: " in caplog.text
    assert api.batch_compute_similarity([], [], model=encoder) == []
    assert api.batch_compute_similarity(paths, LABELS[:1], model=encoder) == one_text
    with pytest.raises(InputError, match="2 texts for 3 pictures; give a text for each picture, or one for all"):
        api.batch_compute_similarity(files, LABELS[:2], model=encoder)


def test_the_analysis_takes_the_keywords_of_the_service(files):
    strict = api.analyze_image_text_match(image_path=files[0], description=LABELS[0], threshold=0.99, model=SHAPES_DEMO)
    usual = api.analyze_image_text_match(image_path=files[0], description=LABELS[0], model=SHAPES_DEMO)

    assert (strict["is_match"], usual["is_match"]) == (False, True)
    assert (strict["threshold"], strict["threshold_scale"]) == (0.99, "cosine")
    assert usual["verdict"] == api.match(files[0], LABELS[0], model=SHAPES_DEMO).results[0].verdict


# --- collect_images


def test_collected_pictures_have_the_metadata_of_the_table_else_labels_of_clip(labeler, files, caplog):
    files[0].with_name("4.png").write_bytes(b"no picture")
    records = {"2.png": {"filename": "2.png", "seed": "7"}}

    found = api.collect_images(str(files[0].parent), csv_records=records, clip_labeler=labeler)

    assert [item["filename"] for item in found] == ["1.png", "2.png", "3.png"]
    assert [item["path"] for item in found] == list(map(str, files))
    assert all(item["image"].size == (96, 96) for item in found)
    assert [item["metadata"] for item in found] == [
        {"auto_label": LABELS[0]}, {"filename": "2.png", "seed": "7"}, {"auto_label": LABELS[2]}
    ]  # fmt: skip
    assert "4.png is left out: " in caplog.text


def test_without_a_labeler_or_with_one_that_cannot_work_no_picture_is_lost(files, caplog):
    plain = api.collect_images(files[0].parent)
    named = api.collect_images(files[0].parent, clip_labeler=api.CLIPLabeler("somebody/nothing"))

    assert [item["metadata"] for item in plain] == [{}] * 3
    assert [item["metadata"]["auto_label"] for item in named] == ["1.png", "2.png", "3.png"]
    assert "no labels from CLIP: there is no model 'somebody/nothing'" in caplog.text


def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(InputError, match=r"no picture in .* can be read"):
        api.collect_images(tmp_path)


# --- lists of models


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A ComfyUI with two LoRAs, one of them in a folder below, and one more in a folder of extra_model_paths.yaml."""
    root = tmp_path / "ComfyUI"
    (root / "custom_nodes").mkdir(parents=True)
    for name in ("loras/a.safetensors", "loras/style/b.safetensors", "clip_vision/clip_vision_g.safetensors"):
        path = root / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "c.safetensors").write_bytes(b"x")
    (root / "extra_model_paths.yaml").write_text(f"mine:\n    loras: {tmp_path / 'more'}\n", "utf-8")
    return root


def test_a_registry_lists_the_models_of_a_comfyui_by_kind(comfyui):
    pytest.importorskip("yaml")
    ways = [
        api.create_comfyui_registry(str(comfyui)),
        api.create_comfyui_registry(search_paths=[comfyui.parent]),
        api.ComfyUIPathResolver(api.ModelPathConfig.from_root(comfyui)).create_registry_from_comfyui(),
    ]

    for registry in ways:
        loras = registry.get_all_loras()
        assert [lora.name for lora in loras] == ["a.safetensors", "style/b.safetensors", "c.safetensors"]
        assert loras[1].path == comfyui / "models" / "loras" / "style" / "b.safetensors"
        assert [one.name for one in registry.get_all("clip_vision")] == ["clip_vision_g.safetensors"]
        assert {kind: count for kind, count in registry.get_stats().items() if count} == {"lora": 3, "clip_vision": 1}
        assert len(registry) == 4


def test_a_registry_holds_what_was_there_when_it_was_made(comfyui):
    registry = api.create_comfyui_registry(comfyui)
    (comfyui / "models" / "loras" / "new.safetensors").write_bytes(b"x")

    assert "new.safetensors" not in [lora.name for lora in registry.get_all_loras()]
    assert "new.safetensors" in [lora.name for lora in api.create_comfyui_registry(comfyui).get_all_loras()]


def test_without_a_comfyui_there_is_no_registry(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        api.create_comfyui_registry(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no ComfyUI in"):
        api.create_comfyui_registry(search_paths=[tmp_path])
