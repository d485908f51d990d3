from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.errors import InputError, SpaceError

from .vector_encoder import VectorEncoder, bank_at, text_at


def one_result(encoder, text="a cat", **options):
    return match_pictures(encoder, ["cat.png"], [text], options=MatchOptions(**options)).results[0]


class Halved:
    """A calibration that gives half of z, for the model that it is made for."""

    def __init__(self, fits=True):
        self.fits = fits

    def probability(self, z):
        return z.astype(np.float64) / 2

    def check(self, encoder, options):
        if not self.fits:
            raise InputError(f"the calibration is of another model than {encoder.identity.name}")


def test_a_pair_has_every_score_under_the_name_of_its_scale():
    # 32 short texts at 0.1, 32 at 0.2
    encoder = VectorEncoder({"a cat": text_at(0.3)}, bank=bank_at(0.15, 0.05))

    result = one_result(encoder)

    assert result.cosine == pytest.approx(0.3)
    assert result.clip_score == pytest.approx(0.75)
    assert result.z == pytest.approx(3)
    against = 32 * math.exp(1) + 32 * math.exp(2)
    assert result.probability == pytest.approx(math.exp(3) / (math.exp(3) + against))
    assert result.probability_scale == "softmax against 64 unrelated texts"
    assert result.percentile == 100
    assert result.picture_percentile is None
    assert (result.image, result.text, result.model) == ("cat.png", "a cat", "table")


def test_a_caption_is_compared_with_captions():
    caption = "a grey cat that sleeps on a sofa"
    result = one_result(VectorEncoder({caption: text_at(0.3)}), caption, phrases=False)

    assert result.probability_scale == "softmax against 128 unrelated texts"
    assert "128 of 128 unrelated captions" in result.reason


def test_a_negative_cosine_has_no_clip_score():
    assert one_result(VectorEncoder({"a cat": text_at(-0.4)})).clip_score == 0


def test_the_probability_of_a_sharp_model_does_not_overflow():
    sharp = VectorEncoder({"a cat": text_at(0.9)}, bank=bank_at(-0.9, 0.01), logit_scale=1000.0)

    assert one_result(sharp).probability == pytest.approx(1)


def siglip(texts, **numbers):
    encoder = VectorEncoder(texts, **numbers)
    return replace(encoder, identity=replace(encoder.identity, is_sigmoid=True))


def test_a_model_of_siglips_family_shows_the_sigmoid_of_each_pair_and_is_judged_by_z():
    encoder = siglip({"a cat": text_at(0.1)}, bank=bank_at(0.0, 0.03), logit_scale=100.0, logit_bias=-16.0)

    result = one_result(encoder)

    assert (result.verdict, result.threshold_scale) == ("match", "z")
    assert result.probability == pytest.approx(1 / (1 + math.exp(6)))
    assert result.probability_scale == "sigmoid"


def test_a_calibration_gives_the_probability_and_judges_by_it():
    # z of 0.98, 0.4 and 1.2
    cosines = {"a cat": 0.149, "a dog": 0.12, "a cow": 0.16}
    encoder = VectorEncoder({text: text_at(cosine) for text, cosine in cosines.items()})

    results = match_pictures(encoder, ["cat.png"], list(cosines), calibration=Halved()).results

    assert [one.probability for one in results] == pytest.approx([0.49, 0.2, 0.6], abs=1e-4)
    assert {(one.probability_scale, one.threshold_scale, one.threshold) for one in results} == {
        ("calibrated", "probability", 0.5)
    }
    assert [one.verdict for one in results] == ["weak", "mismatch", "match"]
    assert results[2].reason.startswith("its probability of 0.600 reaches 0.5; it fits better than")


def test_a_threshold_or_preset_that_was_chosen_goes_before_a_calibration():
    encoder = VectorEncoder({"a cat": text_at(0.45)})
    chosen = (MatchOptions(threshold=0.4), MatchOptions(preset="lenient"))

    results = [
        match_pictures(encoder, ["cat.png"], "a cat", options=options, calibration=Halved()).results[0]
        for options in chosen
    ]

    assert [(one.threshold, one.threshold_scale, one.verdict) for one in results] == [
        (0.4, "cosine", "match"),
        (0.2, "cosine", "match"),
    ]
    assert {one.probability_scale for one in results} == {"calibrated"}


def test_a_threshold_that_a_preset_takes_the_place_of_is_noted():
    encoder = VectorEncoder({"a cat": text_at(0.98)})
    both, preset = MatchOptions(threshold=0.4, preset="strict"), MatchOptions(preset="strict")

    noted, plain = (match_pictures(encoder, ["cat.png"], ["a cat"], options=options) for options in (both, preset))

    assert noted.results[0].threshold == 0.3
    assert set(noted.notes) - set(plain.notes) == {
        "the preset strict decides, and not the threshold 0.4; give one of them"
    }


def test_a_calibration_of_another_model_is_refused_before_a_picture_is_read():
    encoder = VectorEncoder({"a cat": text_at(0.45)})

    with pytest.raises(InputError, match="another model"):
        match_pictures(encoder, ["cat.png"], ["a cat"], calibration=Halved(fits=False))
    assert encoder.seen == []


def test_eight_pictures_tell_how_well_each_of_them_fits():
    pictures = {f"{n}.png": text_at(n / 10) for n in range(8)}
    encoder = VectorEncoder({"a cat": (1.0, 0.0, 0.0, 0.0)}, pictures)

    alone = match_pictures(encoder, list(pictures), ["a cat"]).results
    with_a_copy = match_pictures(encoder, [*pictures, "7.png"], ["a cat"]).results
    too_few = match_pictures(encoder, [*list(pictures)[:7], "0.png"], ["a cat"]).results

    # the k-th of eight beats k of them and half of itself
    assert [one.picture_percentile for one in alone] == [100 * (k + 0.5) / 8 for k in range(8)]
    assert [one.picture_percentile for one in with_a_copy][-2:] == [93.75, 93.75]
    assert {one.picture_percentile for one in too_few} == {None}


def test_pictures_rank_alike_by_pairs_and_in_a_matrix():
    pictures = {f"{n}.png": text_at(n / 10) for n in range(9)}
    texts = {f"text {n}": text_at(0.9 - n / 20) for n in range(9)}
    encoder = VectorEncoder(texts, pictures)

    pairs = match_pictures(encoder, list(pictures), list(texts)).results
    matrix = match_pictures(encoder, list(pictures), list(texts), options=MatchOptions(mode="matrix")).results

    for one in pairs:
        twin = matrix[one.image_index * 9 + one.text_index]
        assert twin.picture_percentile == one.picture_percentile
        assert twin.percentile == one.percentile
        assert twin.cosine == pytest.approx(one.cosine, abs=1e-6)
        assert (twin.z, twin.verdict) == (pytest.approx(one.z, abs=1e-4), one.verdict)


def test_a_result_is_plain_json_with_stable_keys():
    result = one_result(VectorEncoder({"a café": text_at(0.31)}), "a café")

    told = json.loads(json.dumps(result.to_dict()))

    assert told["clip_similarity_score"] == told["cosine"] == pytest.approx(0.31)
    assert told["clip_match_status"] == "Match (score: 0.310)"
    assert told["clip_is_match"] is True
    assert told["clip_score_100"] == pytest.approx(31)
    assert told["text"] == "a café"


def test_what_the_files_of_a_model_do_not_tell_is_noted():
    encoder = VectorEncoder({"a cat": text_at(0.3)}).assuming("logit_scale", "heads")

    estimated = match_pictures(encoder, ["cat.png"], ["a cat"])
    calibrated = match_pictures(encoder, ["cat.png"], ["a cat"], calibration=Halved())

    (note,) = estimated.notes
    assert note.startswith("the model's files do not tell its logit_scale;")
    assert calibrated.notes == ()


def test_a_cosine_threshold_for_siglip_is_noted_with_its_cure():
    encoder = siglip({"a cat": text_at(0.3)})

    by_cosine = match_pictures(encoder, ["cat.png"], ["a cat"], options=MatchOptions(threshold=0.25))
    by_default = match_pictures(encoder, ["cat.png"], ["a cat"])

    assert "choose the preset auto" in by_cosine.notes[0]
    assert by_default.notes == ()


def test_features_pair_row_by_row_and_only_in_one_space():
    encoder = VectorEncoder({"a": text_at(0.5), "b": text_at(0.25)}, {"cat.png": (1, 0, 0, 0), "d": (0, 1, 0, 0)})
    pictures = encoder.encode_images(["cat.png", "d"]).to_features()
    texts = encoder.encode_texts(["a", "b"])

    assert pictures.paired_similarity(texts) == pytest.approx(np.diag(pictures.similarity(texts)))
    with pytest.raises(InputError, match="2 rows cannot be paired with 1"):
        pictures.paired_similarity(texts.select([0]))
    with pytest.raises(SpaceError):
        pictures.paired_similarity(type(pictures)(texts.vectors, texts.ids, "other"))
