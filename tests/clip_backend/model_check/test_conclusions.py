"""The sentence that follows from the figures of a model, and what it warns of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_grid.clip_backend.model_check import pictures as picture_module
from clip_grid.clip_backend.model_check.check import check_encoder
from clip_grid.clip_backend.model_check.pictures import check_pictures

from ..scoring.synthetic import SETTINGS, Setting
from .synthetic_model import LONG, SHORT, SyntheticModel, synthetic_model, unit, vectors_of


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_defaults_hold_for_models_with_the_statistics_of_published_ones(setting: Setting):
    run = check_encoder(synthetic_model(setting))

    assert (run.conclusion, run.sentence) == ("defaults hold", "defaults hold: order and spread are as expected")
    assert [own.rank for own in run.order] == [1] * 5


def test_a_common_offset_of_all_cosines_is_no_reason_to_calibrate():
    """Such as LongCLIP's mean of 0.5: z takes it away."""
    model = synthetic_model()
    texts = {text: with_offset(row[None], 0.3)[0] for text, row in every_text(model).items()}

    run = check_encoder(replace(model, pictures=with_offset(model.pictures, 0.3)).with_texts(texts))

    assert run.banks["long"].mean == pytest.approx(0.7 * 0.163 + 0.3, abs=0.02)
    assert run.conclusion == "defaults hold"
    assert "the mean of captions is 0.41" in " ".join(run.warnings)


def with_offset(rows: np.ndarray, offset: float) -> np.ndarray:
    """Vectors whose cosines are offset + (1 - offset) x cosine."""
    common = np.full((len(rows), 1), offset**0.5)
    return np.concatenate([(1 - offset) ** 0.5 * rows, common], axis=1).astype(np.float32)


def every_text(model: SyntheticModel) -> dict[str, np.ndarray]:
    shown = check_pictures()
    texts = [*SHORT, *LONG, *shown.captions.values(), *shown.words.values()]
    return dict(zip(texts, vectors_of(model, texts), strict=True))


def test_short_texts_that_do_not_spread_are_unusual():
    model = synthetic_model()
    mean = vectors_of(model, SHORT).mean(axis=0)
    alike = {text: unit(mean + 0.3 * (model.texts.encode_texts([text]).vectors[0] - mean)) for text in SHORT}

    run = check_encoder(model.with_texts(alike))

    assert run.conclusion == "calibrate"
    assert run.sentence == (
        "order right, spread unusual: calibrate with about 50 labelled pairs of your own, as in: clip-grid match-batch "
        "labelled.csv --model 'OpenAI B-16.safetensors' --save-calibration mine.json"
    )
    assert any(warning.startswith("the deviation of short texts is 0.00") for warning in run.warnings)
    assert any(warning.startswith("the deviation of captions by that of short texts is") for warning in run.warnings)


def test_own_captions_and_words_below_a_match_are_unusual():
    model, shown = synthetic_model(seed=2), check_pictures()
    beside, words = vectors_of(model, LONG) @ model.pictures[3], list(shown.words.values())
    low = text_at(model.pictures, 3, beside.mean() + 1.9 * beside.std())

    run = check_encoder(model.with_texts({shown.captions["rocket"]: low}))
    assert (run.order[3].rank, run.order[3].z) == (1, pytest.approx(1.9, abs=0.01))
    assert (run.conclusion, run.warnings[0]) == ("calibrate", "rocket: its own caption has z 1.9; a match needs 2")

    one, two = ({word: text_at(model.pictures, 0, 0.0) for word in words[:count]} for count in (1, 2))
    assert check_encoder(model.with_texts(one)).conclusion == "defaults hold"
    run = check_encoder(model.with_texts(two))
    assert (run.conclusion, run.warnings[0]) == ("calibrate", "3 of 5 words match their pictures; usual are 4 at least")


def text_at(pictures: np.ndarray, place: int, cosine: float) -> np.ndarray:
    """A text with this cosine to one picture; the rest of its length is a direction that no picture has."""
    own = np.random.default_rng(0).standard_normal(pictures.shape[1])
    own -= own @ np.linalg.pinv(pictures) @ pictures
    return (cosine * pictures[place] + (1 - cosine**2) ** 0.5 * unit(own)).astype(np.float32)


def test_texts_of_another_model_are_in_the_wrong_order():
    model, other = synthetic_model(), synthetic_model(seed=9)

    run = check_encoder(replace(model, texts=other.texts))

    assert run.conclusion == "order wrong"
    assert run.sentence.startswith("order wrong: the files do not belong together; check the pair of files")
    assert all(word in run.sentence for word in ("tokenizer", "activation", "mean and std", "padding"))
    assert any("fits the picture better than its own caption" in warning for warning in run.warnings)


def test_swapped_captions_are_in_the_wrong_order_and_the_better_one_is_named():
    model, shown = synthetic_model(), check_pictures()
    cat, coffee = shown.captions["cat"], shown.captions["coffee"]
    rows = vectors_of(model, [cat, coffee])

    run = check_encoder(model.with_texts({cat: rows[1], coffee: rows[0]}))

    assert run.conclusion == "order wrong"
    assert f"cat: {coffee!r} fits the picture better than its own caption" in run.warnings
    assert [own.rank for own in run.order[2:]] == [1, 1, 1]


def test_own_captions_that_are_first_among_mismatches_are_no_right_order():
    """Of files that do not belong together, which may come first by chance."""
    model, shown = synthetic_model(), check_pictures()
    places = {name: place for place, name in enumerate(shown.words)}
    low = {text: text_at(model.pictures, places.get(name, 0), 0.0) for name, text in shown.captions.items()}
    low |= {shown.captions[name]: text_at(model.pictures, place, 0.1) for name, place in places.items()}

    run = check_encoder(model.with_texts(low))

    assert [own.rank for own in run.order] == [1] * 5 and max(own.z for own in run.order) < 1
    assert run.conclusion == "order wrong"


def test_one_drawing_may_be_taken_for_something_else_but_no_photograph(photographs, request):
    shown = check_pictures()
    model = synthetic_model()
    wrong = model.with_texts({shown.captions["cat"]: -model.pictures[0]})
    assert check_encoder(model).conclusion == "defaults hold"
    assert check_encoder(wrong).conclusion == "order wrong"

    request.getfixturevalue("monkeypatch").setattr(picture_module, "find_spec", lambda name: None)
    shown = check_pictures()
    run = check_encoder(synthetic_model().with_texts({shown.captions["cat"]: -model.pictures[0]}))

    assert (run.order[0].rank, run.conclusion) == (8, "calibrate")


def test_the_bundled_model_is_not_judged_by_pictures_of_what_it_does_not_know():
    model = synthetic_model()

    run = check_encoder(replace(model, identity=replace(model.identity, name="shapes-demo")))

    assert run.conclusion == "no conclusion"
    assert run.sentence == "no conclusion: shapes-demo knows drawn shapes only, and none is in these pictures"
