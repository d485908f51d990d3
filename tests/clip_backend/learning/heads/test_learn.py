"""Heads learnt on the bundled model, for shapes that it has never seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_grid.clip_backend.learning.heads.head import Head, read_head, save_head
from clip_grid.clip_backend.learning.heads.learn import candidates, learn_best, learn_head
from clip_grid.clip_backend.learning.measures.classes import expected_calibration_error, log_loss, measure_classes
from clip_grid.clip_backend.learning.measures.verdict import CHANCE, RIDGE, TRAINED, verdict_on
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.scoring.scales import softmax
from clip_grid.errors import InputError, OutputError, SpaceError
from sklearn.linear_model import LogisticRegression

from ..new_shapes import NEW_SHAPES, new_shape_features, shape_pool, shapes_base, shapes_encoder


@pytest.fixture(scope="module")
def unseen():
    return new_shape_features(50, 7)


def accuracy(head: Head, unseen) -> float:
    features, labels = unseen
    return float((head.probabilities(features).argmax(axis=1) == labels).mean())


def test_sixteen_pictures_of_a_class_teach_shapes_that_the_model_does_not_know(unseen):
    pools = [shape_pool(16, draw) for draw in range(2)]
    ridges = [accuracy(learn_head(pool, shapes_base(), "ridge").head, unseen) for pool in pools]
    tips = [accuracy(learn_head(pool, shapes_base(), "tip").head, unseen) for pool in pools]

    zero_shot = (unseen[0] @ pools[0].texts.T).argmax(axis=1) == unseen[1]
    known = [LogisticRegression(C=10, max_iter=2000).fit(pool.features, pool.labels) for pool in pools]
    assert np.mean(zero_shot) < 0.35
    assert np.mean(ridges) >= 0.62
    assert np.mean(ridges) >= np.mean([one.score(*unseen) for one in known]) - 0.03
    assert np.mean(tips) >= 0.5


def test_tip_adapter_with_the_published_numbers_warns_that_chosen_ones_are_better(unseen):
    options = TrainOptions(method="tip", tip_alpha=1.17, tip_beta=1.0)

    found = learn_head(shape_pool(16, 0), shapes_base(), "tip", options)

    (note,) = found.notes
    assert "alpha 1.17 and beta 1 of the paper" in note
    assert accuracy(found.head, unseen) < 0.45


@pytest.mark.parametrize("method", ["ridge", "logistic", "lda", "tip", "nearest"])
def test_the_temperature_never_raises_the_log_loss_of_left_out_pictures(method):
    found = learn_head(shape_pool(16, 1), shapes_base(), method).calibrated

    assert found.log_loss_after <= found.log_loss_before


def test_the_temperature_halves_the_calibration_error_on_new_pictures(unseen):
    features, labels = unseen
    head = learn_head(shape_pool(16, 0), shapes_base(), "ridge").head
    before, after = softmax(head.logits(features) * head.temperature), head.probabilities(features)

    assert expected_calibration_error(after, labels) <= expected_calibration_error(before, labels) / 2
    assert log_loss(after, labels) < log_loss(before, labels)


def test_one_picture_of_each_class_gives_a_head_that_says_it_is_unchecked(unseen):
    found = learn_best(shape_pool(1, 0), shapes_base())

    assert found.head.kind == "nearest"
    assert "unchecked; add pictures" in found.notes[0]
    assert found.calibrated is None
    with pytest.raises(InputError, match="ridge needs two pictures of some class"):
        learn_head(shape_pool(1, 0), shapes_base(), "ridge")


def test_auto_compares_what_the_number_of_pictures_allows():
    assert candidates(shape_pool(2, 0)) == ("ridge",)
    assert candidates(shape_pool(4, 0)) == ("ridge", "lda")

    found = learn_best(shape_pool(4, 0), shapes_base())

    assert {one.method for one in found.tried} == {"ridge", "lda"}


def test_the_same_seed_gives_the_same_head_to_the_bit():
    pools = [shape_pool(8, 2) for _ in range(2)]

    first, again = (learn_head(pool, shapes_base(), "lda").head for pool in pools)

    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.temperature == again.temperature


@pytest.mark.parametrize("method", ["ridge", "lda"])
def test_copies_in_one_group_do_not_tell_what_their_copies_are(method):
    pool = shape_pool(4, 2)
    twice = {"features": np.tile(pool.features, (2, 1)), "labels": np.tile(pool.labels, 2)}
    leaking = replace(pool, **twice, groups=tuple(map(str, range(2 * len(pool)))))
    grouped = replace(pool, **twice, groups=pool.groups * 2)

    found = {name: learn_head(one, shapes_base(), method).calibrated for name, one in
             (("leaking", leaking), ("grouped", grouped))}  # fmt: skip

    assert found["leaking"].log_loss_after < 0.7 * found["grouped"].log_loss_after


def test_shuffled_labels_teach_nothing_and_the_verdict_says_so():
    features, labels = new_shape_features(50, 7)
    groups = [str(place) for place in range(100)]
    told = []
    for run in range(20):
        shuffled = np.random.default_rng(run).permutation(labels)
        learn, test = np.arange(200) % 2 == 0, np.arange(200) % 2 == 1
        pool = replace(
            shape_pool(16, 0), features=features[learn], labels=shuffled[learn], groups=tuple(groups), seed=run
        )
        head = learn_head(pool, shapes_base(), "ridge").head
        measured = measure_classes(head.probabilities(features[test]), shuffled[test], groups, seed=run)
        share = np.bincount(shuffled[learn], minlength=4) / learn.sum()
        chance = measure_classes(np.tile(share, (test.sum(), 1)), shuffled[test], groups, seed=run)
        told.append(verdict_on({TRAINED: measured, RIDGE: measured, CHANCE: chance}, "ridge").word)

    assert told.count("not better than chance") >= 18


def test_a_head_comes_back_from_its_file_as_it_was(tmp_path, unseen):
    for method in ("ridge", "tip"):
        head = learn_head(shape_pool(4, 0), shapes_base(), method).head
        save_head(head, tmp_path / f"{method}.safetensors")

        found = read_head(tmp_path / f"{method}.safetensors")

        np.testing.assert_array_equal(found.probabilities(unseen[0]), head.probabilities(unseen[0]))
        assert found.classes == NEW_SHAPES
        found.check(shapes_encoder())


def test_a_head_refuses_another_model_and_names_both(tmp_path):
    head = learn_head(shape_pool(2, 0), shapes_base(), "ridge").head
    other = replace(head, base=replace(head.base, fingerprint="0123456789abcdef-1-2"))

    with pytest.raises(SpaceError, match=f"weights 0123456789abcdef, not {shapes_base().vision}"):
        other.check(shapes_encoder())
    with pytest.raises(SpaceError, match="preparation of pictures x, not"):
        replace(head, base=replace(head.base, preprocessing="x")).check(shapes_encoder())


def test_what_is_no_head_is_refused_and_never_replaced(tmp_path):
    text = tmp_path / "notes.safetensors"
    text.write_text("my notes")
    head = learn_head(shape_pool(2, 0), shapes_base(), "ridge").head

    with pytest.raises(InputError, match="cannot be read"):
        read_head(text)
    with pytest.raises(OutputError, match="is not a head of this program"):
        save_head(head, text)
    assert text.read_text() == "my notes"


def test_a_damaged_head_is_refused_by_name(tmp_path):
    head = learn_head(shape_pool(2, 0), shapes_base(), "ridge").head
    path = tmp_path / "head.safetensors"
    cases = {
        "its weights are": replace(head, weights=head.weights * np.float32(np.nan)),
        "its temperature is": replace(head, temperature=-1.0),
        "its classes are not": replace(head, classes=("a",) * 4),
        "its kind is 'magic'": replace(head, kind="magic"),
    }
    for reason, broken in cases.items():
        save_head(broken, path)
        with pytest.raises(InputError, match=reason):
            read_head(path)
    save_head(head, path)
    whole = path.read_bytes()
    for own, other in (
        (b'pictures\\": 8', b'pictures\\": 1e999'), (b'pictures\\": 8', b'pictures\\": NaN'),
        (b'"F32"', b'"I32"'), (b'kind\\": \\"ridge\\"', b'kind\\": 1' + b"0" * 400),
    ):  # fmt: skip
        assert own in whole
        damaged = whole[8:].replace(own, other)
        length = int.from_bytes(whole[:8], "little") + len(damaged) - len(whole[8:])
        path.write_bytes(length.to_bytes(8, "little") + damaged)
        with pytest.raises(InputError, match=r"head\.safetensors"):
            read_head(path)
    path.write_bytes(whole)
    path.write_bytes(path.read_bytes().replace(b'version\\": 1', b'version\\": 9'))
    with pytest.raises(InputError, match="of version 9, and this program reads version 1"):
        read_head(path)
