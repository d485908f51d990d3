"""Training and measuring by one call: what a run folder holds, and what bad data and folders are told."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from clip_grid.api import evaluate, label_images, load_encoder, train
from clip_grid.api.models import ModelChoice
from clip_grid.clip_backend.calibration.calibration import read_calibration
from clip_grid.clip_backend.learning.arms.classes import spoken_names
from clip_grid.clip_backend.learning.heads.head import read_head
from clip_grid.clip_backend.learning.runs.run import read_run
from clip_grid.clip_backend.learning.tuning import memory
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw
from clip_grid.errors import InputError, LimitError, OutputError, SpaceError
from PIL import Image

from .clip_backend.learning.new_shapes import NEW_SHAPES, draw_new_shape, shapes_encoder

#: A short training of all pictures but few, with the trained weights as they are.
TOWER = {"method": "lora", "steps": 4, "batch": 8, "evaluate_every": 2, "learning_rate": 0.02, "keep": 0.0, "seed": 1}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder for each of four shapes, with 9 pictures in each."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(5)
    for name in NEW_SHAPES:
        (root / name).mkdir()
        for number in range(9):
            draw_new_shape(name, rng).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A CSV file of 40 pictures of known shapes, half of them with a text that is wrong."""
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(6)
    rows = []
    for number in range(40):
        colour, shape, other = COLOURS[number % 7], SHAPES[number % 8], SHAPES[(number + 3) % 8]
        scene = Scene(kind="shape", colour=colour, shape=shape, size="large", background="white")
        draw(scene, 64, rng).save(root / f"{number}.png")
        rows.append((f"{number}.png", f"a {colour} {shape if number % 2 else other}", number % 2))
    return write_csv(root / "pairs.csv", rows)


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """(run folder, report) of a ridge head."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(photos, folder, model=shapes_encoder(), method="ridge")


def write_csv(path, rows, header=("image_path", "text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_a_run_folder_holds_the_head_the_split_and_the_reports(finished, photos):
    folder, report = finished

    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        "run.json", "split.json", "data_report.json", "findings.csv", "log.csv", "curves.png", "head.safetensors",
        "report.json", "report.md", "test_openings.json",
    }  # fmt: skip
    saved = json.loads((folder / "report.json").read_text())
    assert set(saved["results"]) == {"base", "ridge", "trained", "majority class"}
    assert saved["results"]["trained"]["accuracy"]["value"] == report.arms["trained"].main.value
    assert saved["sentence"] == report.sentence in (folder / "report.md").read_text()
    assert saved["test_openings"] == 1
    run = read_run(folder)
    assert (run.method, run.kind, run.classes) == ("ridge", "classes", tuple(sorted(NEW_SHAPES)))
    with Image.open(folder / "curves.png") as picture:
        assert picture.size == (900, 360)
    assert len((folder / "log.csv").read_text().splitlines()) == 14
    assert str(photos.parent).encode() not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_the_head_says_what_the_report_says(finished, photos):
    folder, report = finished
    head = read_head(folder)
    split = json.loads((folder / "split.json").read_text())

    tested = [one["name"] for one in split["pictures"] if one["part"] == "test"]
    features = shapes_encoder().encode_images([photos / name for name in tested]).to_features().vectors
    said = [head.classes[place] for place in head.probabilities(features).argmax(axis=1)]

    right = [name.partition("/")[0] == one for name, one in zip(tested, said, strict=True)]
    assert report.arms["trained"].main.value == pytest.approx(np.mean(right))


def test_the_same_seed_gives_the_same_run_to_the_bit(finished, photos, tmp_path):
    folder, _ = finished

    train(photos, tmp_path, model=shapes_encoder(), method="ridge")

    for name in ("head.safetensors", "split.json", "report.json", "report.md", "curves.png", "log.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_each_use_of_the_test_split_is_counted(photos, tmp_path):
    report = train(photos, tmp_path, model=shapes_encoder(), method="lda")

    found = [evaluate(tmp_path, photos, model=shapes_encoder(), part="test") for _ in range(2)]

    assert [one.test_openings for one in found] == [2, 3]
    assert found[0].arms["trained"].main == report.arms["trained"].main
    assert "the test split was used 3 times" in found[1].notes[-1]


def test_pictures_that_were_trained_on_are_refused(finished, photos):
    folder, _ = finished
    openings = (folder / "test_openings.json").read_text()

    with pytest.raises(InputError, match=r"were used in training.*in train"):
        evaluate(folder, photos, model=shapes_encoder())
    assert (folder / "test_openings.json").read_text() == openings

    found = evaluate(folder, photos, model=shapes_encoder(), allow_trained=True)
    assert found.arms["trained"].rows == 36
    assert "says little about new pictures" in found.notes[0]


def test_new_pictures_are_measured_and_the_test_split_stays_closed(finished, tmp_path):
    folder, _ = finished
    rng = np.random.default_rng(99)
    for name in NEW_SHAPES[:2]:
        (tmp_path / name).mkdir()
        for number in range(3):
            draw_new_shape(name, rng).save(tmp_path / name / f"{number}.png")

    found = evaluate(folder, tmp_path, model=shapes_encoder())

    assert found.arms["trained"].rows == 6
    assert found.test_openings is None
    (tmp_path / NEW_SHAPES[0]).rename(tmp_path / "cube")
    with pytest.raises(InputError, match="labelled 'cube', which is none of the learnt classes"):
        evaluate(folder, tmp_path, model=shapes_encoder())


def test_pairs_learn_what_their_scores_are_worth(pairs, tmp_path):
    report = train(pairs, tmp_path, model=shapes_encoder(), test=0.3)

    assert report.run.method == "platt"
    assert set(report.arms) == {"base", "ridge", "trained", "majority class"}
    assert report.arms["trained"].estimates["ROC-AUC"].value >= 0.9
    assert read_calibration(tmp_path / "calibration.json").slope > 0
    assert "log-loss" in report.sentence


def test_data_sets_of_their_own_are_val_and_test(pairs, tmp_path):
    rows = rows_of(pairs)
    parts = {
        name: write_csv(pairs.parent / f"{name}.csv", own)
        for name, own in (("train", rows[:20]), ("val", rows[20:30]), ("test", rows[30:]))
    }

    report = train(
        parts["train"], tmp_path, model=shapes_encoder(), val_data=parts["val"], test_data=parts["test"], epochs=5
    )

    assert [report.data[part] for part in ("train", "val", "test")] == [20, 10, 10]
    assert any(note.startswith("epochs had no effect") for note in report.notes)


@pytest.mark.parametrize("method", ["lora", "last-blocks"])
def test_a_run_of_towers_is_a_model_with_other_embeddings(pairs, tmp_path, method):
    few = {"steps": 4, "batch": 8, "evaluate_every": 2, "learning_rate": 0.01, "keep": 0.0, "val": 0.0, "test": 0.0}
    train(pairs, tmp_path / "run", model="shapes-demo", method=method, **few)
    pictures = sorted(pairs.parent.glob("*.png"))[:4]

    own = load_encoder(tmp_path / "run").encode_images(pictures).image_embeds
    base = load_encoder("shapes-demo").encode_images(pictures).image_embeds

    assert own.shape == base.shape
    assert not np.allclose(own, base, atol=1e-3)


def test_trained_towers_tell_classes_by_the_temperature_that_val_gives(photos, tmp_path):
    few = {"steps": 6, "batch": 8, "evaluate_every": 3, "learning_rate": 0.01}

    report = train(photos, tmp_path / "run", model="shapes-demo", method="lora", **few)

    head, own = read_head(tmp_path / "run"), report.calibration
    assert (head.kind, head.classes) == ("texts", tuple(sorted(NEW_SHAPES)))
    assert head.temperature == own["temperature"] != 1
    assert own["log_loss_after"] <= own["log_loss_before"]
    # whoever scores by the run gives these probabilities
    pictures = sorted(photos.rglob("*.png"))[:3]
    features = load_encoder(tmp_path / "run").encode_images(pictures).to_features().vectors
    for how in ({"model": tmp_path / "run"}, {"head": tmp_path / "run" / "head.safetensors"}):
        likeliest = [one.top[0].probability for one in label_images(pictures, **how).pictures]
        assert likeliest == pytest.approx(head.probabilities(features).max(axis=1), abs=1e-6)
    # the base model completes the run, and is not taken for it
    for model in (None, "shapes-demo"):
        found = evaluate(tmp_path / "run", photos, model=model, part="test").arms
        assert found["trained"].estimates["log-loss"] == report.arms["trained"].estimates["log-loss"]
        assert "base" not in found
    with pytest.raises(SpaceError, match=r"is the model that .* was trained on, without what was trained"):
        evaluate(tmp_path / "run", photos, model=load_encoder("shapes-demo"), part="test")
    with pytest.raises(InputError, match=r"belongs to the strength .* of its training, not to 0\.25; leave"):
        label_images(pictures, model=ModelChoice(tmp_path / "run", strength=0.25))


def test_memory_is_checked_before_pictures_and_weights_are_read(photos, tmp_path, monkeypatch):
    def read(done, total):
        raise AssertionError("a picture was read")

    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    with pytest.raises(
        LimitError, match=r"training needs about .* GiB and cpu has 0\.0 GiB free; give a smaller batch"
    ):
        train(photos, tmp_path / "run", model="shapes-demo", method="full", progress=read)
    assert not (tmp_path / "run").exists()


def test_without_a_test_split_nothing_is_claimed(photos, tmp_path):
    report = train(photos, tmp_path, model=shapes_encoder(), test=0, val=0)

    assert report.verdict is None
    assert "nothing is known about new pictures" in report.sentence
    assert json.loads((tmp_path / "test_openings.json").read_text()) == {"count": 0}


def test_a_folder_of_something_else_is_never_written_into(photos, tmp_path, finished):
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(OutputError, match=r"holds letter\.txt and no run"):
        train(photos, tmp_path, model=shapes_encoder(), overwrite=True)
    with pytest.raises(OutputError, match="holds a run already; choose another folder, or allow overwriting"):
        train(photos, finished[0], model=shapes_encoder())
    with pytest.raises(OutputError, match="is a file"):
        train(photos, tmp_path / "letter.txt", model=shapes_encoder())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_new_run_takes_the_place_of_the_old_one_whole(photos, pairs, tmp_path):
    train(photos, tmp_path, model=shapes_encoder(), method="ridge")

    train(pairs, tmp_path, model=shapes_encoder(), overwrite=True)

    assert not (tmp_path / "head.safetensors").exists()
    assert (tmp_path / "calibration.json").exists()
    # how often the folder's test split was looked at is not forgotten
    assert json.loads((tmp_path / "test_openings.json").read_text()) == {"count": 2}


def test_a_run_is_replaced_by_trained_weights_only_once_they_can_be_trained(photos, tmp_path):
    train(photos, tmp_path, model=shapes_encoder(), method="ridge")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    with pytest.raises(InputError, match="nothing would be trained"):
        train(photos, tmp_path, model=shapes_encoder(), method="lora", overwrite=True, vision_tower="frozen",
              text_tower="frozen")  # fmt: skip
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(photos, tmp_path, model=shapes_encoder(), overwrite=True, on_step=stop, **TOWER)
    # no head of the one run beside the options of the other
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"run.json", "test_openings.json"}
    assert read_run(tmp_path).method == "lora"


def test_classes_that_differ_in_a_blank_alone_have_texts_of_their_own():
    names = ("a_b", "a b", "c")
    assert spoken_names(names) == ["a_b", "a b", "c"]
    assert spoken_names(("a_b", "c")) == ["a b", "c"]


def test_a_stop_leaves_no_run(photos, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(photos, tmp_path / "run", model=shapes_encoder(), progress=stop)

    assert not (tmp_path / "run").exists()


def test_one_class_or_one_label_is_refused(photos, pairs, tmp_path):
    (tmp_path / "data" / "pentagon").mkdir(parents=True)
    for path in (photos / "pentagon").iterdir():
        shutil.copy(path, tmp_path / "data" / "pentagon")
    rows = [(name, text, 1) for name, text, _ in rows_of(pairs)]
    equal = write_csv(pairs.parent / "equal.csv", rows)

    for data in (tmp_path / "data", equal):
        with pytest.raises(InputError):
            train(data, tmp_path / "run", model=shapes_encoder())
    assert not (tmp_path / "run").exists()


def test_a_method_that_does_not_suit_the_data_is_refused(photos, pairs, tmp_path):
    with pytest.raises(InputError, match="method is platt, and the data are classes; choose one of nearest, ridge"):
        train(photos, tmp_path / "run", model=shapes_encoder(), method="platt")
    with pytest.raises(InputError, match="method is ridge, and the data are pairs with labels 1 and 0"):
        train(pairs, tmp_path / "run", model=shapes_encoder(), method="ridge")
    with pytest.raises(InputError, match=r"val is 0\.6 and test 0\.5"):
        train(photos, tmp_path / "run", model=shapes_encoder(), val=0.6, test=0.5)


def test_a_run_of_another_version_or_model_is_refused(finished, photos, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    head = read_head(folder)
    with pytest.raises(SpaceError, match="weights 00"):
        replace(head, base=replace(head.base, fingerprint="00")).check(shapes_encoder())

    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "version": 7}))
    with pytest.raises(InputError, match="a run of version 7, and this program reads version 1"):
        evaluate(folder, photos, model=shapes_encoder())
    with pytest.raises(InputError, match="a run of version 7"):
        train(photos, folder, model=shapes_encoder(), method="lora", resume=True)
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match="is a run of ridge, not of lora; resume with the options that it was begun"):
        train(photos, folder, model=shapes_encoder(), method="lora", resume=True)
    for change in ({"options": {"seed": "one"}}, {"options": {"seed": 1e999}}, {"classes": [1]}, {"kind": "films"}):
        (folder / "run.json").write_text(json.dumps({**run, **change}))
        with pytest.raises(InputError, match="is damaged"):
            evaluate(folder, photos, model=shapes_encoder())
    (folder / "run.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        evaluate(folder, photos, model=shapes_encoder())
    with pytest.raises(InputError, match=r"is no run of clip-grid train: it has no run\.json"):
        evaluate(photos, photos, model=shapes_encoder())


def test_data_of_another_kind_are_refused(finished, pairs):
    with pytest.raises(InputError, match=r"the run learnt classes, and pairs\.csv holds pairs"):
        evaluate(finished[0], pairs, model=shapes_encoder())


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """(run folder, report) of a LoRA, whose embeddings went into a cache on disk."""
    root = tmp_path_factory.mktemp("lora")
    model = ModelChoice("shapes-demo", cache_folder=root / "cache")
    return root, train(photos, root / "run", model=model, **TOWER)


def log_loss_of(report):
    """Of the trained arm, which changes with every weight."""
    return report.arms["trained"].estimates["log-loss"].value


def test_a_report_is_about_its_own_weights_whatever_the_cache_holds_of_other_runs(photos, trained):
    root, first = trained
    model = ModelChoice("shapes-demo", cache_folder=root / "cache")

    # the same pictures and the same strength, other weights
    second = train(photos, root / "second", model=model, **{**TOWER, "learning_rate": 0.05, "steps": 8})

    for report, folder in ((first, "run"), (second, "second")):
        found = evaluate(root / folder, photos, model=ModelChoice(root / folder, cache=False), part="test")
        assert log_loss_of(found) == pytest.approx(log_loss_of(report), abs=1e-4)


def test_a_run_of_towers_is_measured_with_its_own_weights_alone(photos, trained):
    root, report = trained

    found = evaluate(root / "run", photos, model="shapes-demo", part="test")
    assert log_loss_of(found) == pytest.approx(log_loss_of(report), abs=1e-4)
    with pytest.raises(SpaceError, match=r"is the model that .*run was trained on"):
        evaluate(root / "run", photos, model=shapes_encoder(), part="test")


def test_a_calibration_is_measured_with_its_own_model_alone(pairs, tmp_path, trained):
    train(pairs, tmp_path, model=shapes_encoder(), test=0.3)

    with pytest.raises(SpaceError, match=r"was learnt on shapes-demo \(weights \w+, not \w+ of"):
        evaluate(tmp_path, pairs, model=load_encoder(trained[0] / "run"), part="test")
