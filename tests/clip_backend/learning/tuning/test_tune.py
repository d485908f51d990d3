from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from clip_grid.atomic import kept_work, record_written, unfinished, written_files
from clip_grid.clip_backend.checkpoints.trained_file import read_trained_file
from clip_grid.clip_backend.learning.tuning import loop, measure, memory, rate, result, row_files, trainee
from clip_grid.clip_backend.learning.tuning.keep import drawn_retention, largest_strength
from clip_grid.clip_backend.learning.tuning.loop import rate_at
from clip_grid.clip_backend.learning.tuning.memory import check_memory
from clip_grid.clip_backend.learning.tuning.pairs import Pairs
from clip_grid.clip_backend.learning.tuning.result import Strength
from clip_grid.clip_backend.learning.tuning.rows import Rows, batch_at
from clip_grid.errors import InputError, LimitError, OutputError

from .tiny import classes, quick_tune

ROOT = Path(__file__).resolve().parents[4]


class Stopped(Exception):
    """A training that ends in the middle."""


def stop_at(step):
    def on_step(told):
        if told.step == step:
            raise Stopped

    return on_step


def losses(folder):
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    quick_tune(folder)
    return folder


def assert_same(folder, whole):
    for name in ("best.safetensors", "log.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path, whole):
    quick_tune(tmp_path / "again")
    quick_tune(tmp_path / "other", seed=4)

    assert_same(tmp_path / "again", whole)
    assert (tmp_path / "other" / "best.safetensors").read_bytes() != (whole / "best.safetensors").read_bytes()


@pytest.mark.parametrize("step", [1, 8])
def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path, whole, step):
    with pytest.raises(Stopped):
        quick_tune(tmp_path, more={"on_step": stop_at(step), "checkpoint_every": 2})
    steps = []

    quick_tune(tmp_path, more={"resume": True, "on_step": lambda told: steps.append(told.step)})

    assert_same(tmp_path, whole)
    # step 8 itself had ended, but its checkpoint was still to come
    assert steps[0] == {1: 1, 8: 7}[step]


def test_killed_trainings_of_every_method_go_on_to_the_same_bits(tmp_path, whole):
    options = {"lora": {}, "last-blocks": {"method": "last-blocks"}, "full": {"method": "full", "last_blocks": 0}}
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
import tests.conftest
from pathlib import Path
from tests.clip_backend.learning.tuning.tiny import quick_tune
def on_step(told):
    if told.step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
for name, options in {options!r}.items():
    if not os.fork():
        quick_tune(Path({str(tmp_path)!r}) / name, more={{"on_step": on_step, "checkpoint_every": 3}}, **options)
        os._exit(1)
    print(os.WTERMSIG(os.wait()[1]))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}

    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)

    assert ended.stdout.split() == [str(int(signal.SIGKILL))] * 3, ended.stderr
    for name, own in options.items():
        quick_tune(tmp_path / name, more={"resume": True}, **own)
        if own:
            quick_tune(tmp_path / f"{name} whole", **own)
        assert_same(tmp_path / name, tmp_path / f"{name} whole" if own else whole)


def test_a_stopped_training_says_what_is_kept_and_names_no_file_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_written", None)
    monkeypatch.setattr(unfinished, "_kept", {})
    record_written()

    with pytest.raises(Stopped):
        quick_tune(tmp_path, more={"on_step": stop_at(3), "checkpoint_every": 2})

    assert written_files() == []
    assert kept_work() == [f"the checkpoint of step 2 is kept in {tmp_path}; go on with --resume"]


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(tmp_path, whole, caplog, damage):
    with pytest.raises(Stopped):
        quick_tune(tmp_path, more={"on_step": stop_at(9), "checkpoint_every": 2})
    kept = sorted((tmp_path / "last").glob("step-*"))
    content = bytearray(kept[-1].read_bytes())
    content[-5] ^= 1
    kept[-1].write_bytes(content[: len(content) // 2] if damage == "cut" else content)

    quick_tune(tmp_path, more={"resume": True})

    assert [path.name for path in kept] == ["step-000000006.safetensors", "step-000000008.safetensors"]
    assert "step-000000008.safetensors is damaged" in caplog.text
    assert_same(tmp_path, whole)


def test_a_training_is_not_continued_with_other_options_or_without_a_whole_checkpoint(tmp_path):
    with pytest.raises(Stopped):
        quick_tune(tmp_path, more={"on_step": stop_at(3), "checkpoint_every": 2})

    with pytest.raises(InputError, match="other options; resume with the same ones"):
        quick_tune(tmp_path, rank=4, more={"resume": True})
    for path in (tmp_path / "last").glob("step-*"):
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no checkpoint that is whole"):
        quick_tune(tmp_path, more={"resume": True})


def test_a_training_is_not_continued_with_other_pictures(tmp_path):
    with pytest.raises(Stopped):
        quick_tune(tmp_path, more={"on_step": stop_at(5), "checkpoint_every": 2})
    pictures = classes(3, 9).pictures

    with pytest.raises(InputError, match="was begun with other data"):
        quick_tune(tmp_path, train=replace(classes(3, 1), pictures=pictures), more={"resume": True})


def test_many_rows_of_val_are_measured_by_a_share_of_every_label_whatever_their_order():
    labels = np.zeros(5000, np.float32)
    labels[-1] = 1
    names = np.arange(5000) * 10 // 5000

    for kind, own in (("pairs", labels), ("classes", labels + 1)):
        rows = Rows(
            kind=kind, picture_of=np.arange(5000), text_of=names, labels=own, classes=np.arange(10), texts=10
        )  # fmt: skip
        places = measure.sampled(rows, 2000)
        assert len(np.unique(places)) == 2000
        assert kind == "classes" or len(set(own[places])) == 2
        assert np.bincount(names[places]).min() > 150


def test_texts_of_classes_are_never_asked_for_their_pictures():
    rows = Rows(
        kind="classes", picture_of=np.arange(4), text_of=np.arange(4), labels=np.ones(4, np.float32),
        classes=np.arange(4), texts=4,
    )  # fmt: skip

    # as many classes as pictures in the batch make no difference
    assert [batch_at(rows, 0, size, 0).has_classes for size in (3, 4)] == [True, True]
    assert not batch_at(replace(rows, kind="captions"), 0, 4, 0).has_classes


@pytest.mark.parametrize("method", ["lora", "last-blocks"])
def test_cached_activations_give_the_same_losses(tmp_path, method):
    for cached in (True, False):
        quick_tune(tmp_path / str(cached), cache_activations=cached, method=method)

    assert np.allclose(losses(tmp_path / "True"), losses(tmp_path / "False"), atol=1e-4, rtol=0)
    assert not (tmp_path / "True" / "activations").exists()


def test_a_loss_that_is_no_number_ends_training_with_the_best_weights(tmp_path, monkeypatch):
    real, calls = loop.train_step, []

    def break_at_seven(*given):
        calls.append(given)
        if len(calls) == 7:
            raise loop.NotFinite
        return real(*given)

    monkeypatch.setattr(loop, "train_step", break_at_seven)

    tuned = quick_tune(tmp_path)

    assert "the loss of step 7 is not finite at the learning rate" in tuned.stopped
    assert "train again with learning_rate 0.002" in tuned.stopped
    assert tuned.best_step in (0, 3, 6) and tuned.path.is_file()


def test_a_flat_loss_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "FLAT_STEPS", 5)
    monkeypatch.setattr(trainee, "infonce", lambda logits, *_, **__: 0 * logits.sum() + math.log(4))

    tuned = quick_tune(tmp_path)

    assert any("stayed at that of random guesses (1.39, ln of 4 texts)" in note for note in tuned.notes)


def test_training_stops_when_val_gets_no_better(tmp_path):
    tuned = quick_tune(tmp_path, learning_rate=1e-9, patience=2)

    assert tuned.steps == 6 and tuned.best_step == 0
    assert tuned.stopped == "2 evaluations on val were no better than that of step 0"


def test_pictures_that_cannot_be_read_are_left_out_and_named(tmp_path):
    good = classes(4, 1)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    train = Pairs(
        kind="classes", pictures=[*good.pictures[:-1], broken], texts=good.texts, picture_of=good.picture_of,
        text_of=good.text_of, labels=good.labels,
    )  # fmt: skip

    tuned = quick_tune(tmp_path / "run", train=train, steps=3)

    assert any("1 picture is left out" in note and "broken.png" in note for note in tuned.notes)


@pytest.mark.parametrize("options", [{"text_tower": "frozen"}, {"method": "full", "loss": "siglip"}])
def test_frozen_towers_and_other_losses_learn_too(tmp_path, options):
    tuned = quick_tune(tmp_path, **{"learning_rate": 1e-3, **options})

    found = losses(tmp_path)
    assert np.mean(found[-4:]) < np.mean(found[:4])
    changed = read_trained_file(tuned.path).changes
    assert changed == (("vision",) if "text_tower" in options else ("vision", "text"))


def test_pairs_learn_by_siglip_and_are_measured_by_their_order(tmp_path):
    own = classes(4, 1)
    other = (own.text_of + 1) % 4
    pairs = Pairs(
        kind="pairs", pictures=own.pictures, texts=own.texts, picture_of=np.tile(own.picture_of, 2),
        text_of=np.concatenate([own.text_of, other]), labels=np.repeat([1.0, 0.0], len(own)).astype(np.float32),
    )  # fmt: skip

    for loss in ("auto", "bce"):
        tuned = quick_tune(tmp_path / loss, train=pairs, val=pairs, loss=loss, steps=20, last_blocks=0)
        assert tuned.metric_name == "ROC-AUC"
        assert max(one.metric for one in tuned.strengths) > tuned.base_metric


def test_what_is_kept_of_the_models_own_answers_decides_the_strength(tmp_path):
    tuned = quick_tune(tmp_path, learning_rate=5e-2, keep=1.0, last_blocks=0)

    chosen = next(one for one in tuned.strengths if one.strength == tuned.strength)
    assert chosen.retained == tuned.retained == 1.0
    assert read_trained_file(tuned.path).strength == tuned.strength
    assert all(one.strength < tuned.strength or one.retained < 1 for one in tuned.strengths if one != chosen)


def test_without_a_wish_to_keep_anything_it_is_still_told_what_is_kept(tmp_path):
    # without val the last weights are taken, whose answers are others at this rate
    tuned = quick_tune(tmp_path, method="last-blocks", learning_rate=0.3, keep=0, last_blocks=0, val=())

    assert [(one.strength, one.retained) for one in tuned.strengths] == [(0, 1), (1, tuned.retained)]
    assert tuned.retained < 1


def test_captions_are_measured_by_recall(tmp_path):
    own = classes(2, 1)
    captions = Pairs(
        kind="captions", pictures=own.pictures, texts=own.texts, picture_of=own.picture_of, text_of=own.text_of,
        labels=own.labels,
    )  # fmt: skip

    tuned = quick_tune(tmp_path, train=captions, val=captions, steps=4)

    assert tuned.metric_name == "recall at 1" and 0 <= tuned.metric <= 1
    assert tuned.strength == 1.0
    with pytest.raises(InputError, match="needs rows with label 1 and rows with label 0"):
        quick_tune(tmp_path, train=captions, val=captions, loss="bce")


def test_the_time_that_is_left_is_known_after_three_steps_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(rate, "TEST_STEPS", 5)
    told = []

    quick_tune(tmp_path, learning_rate=0, steps=4, more={"on_step": told.append})

    stages = [one.stage for one in told]
    assert stages == ["learning rate"] * stages.index("training") + ["training"] * 4
    assert [one.seconds_left is None for one in told] == [True, True, *[False] * (len(told) - 2)]
    assert told[-1].seconds_left == 0


def test_the_pace_leaves_out_the_slow_first_step_and_steps_that_are_not_needed(monkeypatch):
    # the first step ends after 10 seconds, and two more 4 seconds later
    times = iter([0.0, 10.0, 14.0])
    monkeypatch.setattr(result.time, "monotonic", lambda: next(times))
    pace = result.Pace(10)

    assert [pace.step(), pace.step()] == [None, None]
    pace.skip(2)
    assert pace.step() == 5 * 2.0


def test_both_searches_of_the_rate_tell_what_they_tried_and_leave_the_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(rate, "TEST_STEPS", 8)
    monkeypatch.setattr(rate, "GRID_STEPS", 2)
    for search, count in (("range", 8), ("grid", 5)):
        tuned = quick_tune(tmp_path / search, learning_rate=0, rate_search=search, steps=1)
        assert len(tuned.tried_rates) <= count and tuned.learning_rate > 0
        # the first step, of warm-up, is taken from the base model
        assert losses(tmp_path / search)[0] == pytest.approx(losses(tmp_path / "range")[0])


def test_memory_is_checked_before_a_weight_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)

    with pytest.raises(LimitError, match=r"training needs about .* free; give a smaller batch, fewer last_blocks"):
        quick_tune(tmp_path / "run")
    assert not (tmp_path / "run" / "last").exists()
    check_memory(10, torch.device("cpu"), 10)


def test_a_full_disk_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))

    with pytest.raises(LimitError, match=r"what the frozen blocks give takes .* free some space"):
        quick_tune(tmp_path)


def test_two_trainings_never_share_a_folder(tmp_path):
    def nested(told):
        quick_tune(tmp_path)

    with pytest.raises(OutputError, match="another run is writing"):
        quick_tune(tmp_path, more={"on_step": nested})


def test_the_largest_strength_that_keeps_enough_is_chosen():
    def measured(strength):
        return Strength(strength=strength, metric=strength, retained=1 - strength**2 / 2)

    chosen, compared = largest_strength(measured, 0.9)
    assert chosen.strength == pytest.approx(0.4375) and chosen.retained >= 0.9
    assert [one.strength for one in compared] == sorted(one.strength for one in compared)
    assert largest_strength(measured, 0.0)[0].strength == 1
    assert largest_strength(measured, 0.5)[0].strength == 1
    assert largest_strength(lambda s: Strength(strength=s, metric=None, retained=float(s == 0)), 0.9)[0].strength == 0


def test_the_rate_rises_and_falls():
    rates = [rate_at(step, 100, 1.0) for step in range(100)]

    assert rates[0] == pytest.approx(0.2) and max(rates) > 0.99 and rates[-1] < 0.001


def test_what_is_kept_is_measured_on_drawings_of_all_shapes_and_colours():
    drawn = drawn_retention()

    assert len(drawn.pictures) == 128 and len(set(drawn.texts)) == 64
