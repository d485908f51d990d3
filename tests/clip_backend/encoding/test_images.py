"""Pictures to features: order, batches, duplicates, faults, interruption and memory, on a tower of a few lines."""

from __future__ import annotations

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid import imaging
from clip_grid.clip_backend.encoding import image_features, reading
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.preparing import pictures as pictures_module
from clip_grid.clip_backend.preparing.blank import emptiness, pixel_statistics
from clip_grid.errors import InputError, PictureError
from PIL import Image

from .toy_encoder import ABLE, PREPROCESSING, ToyPlacement, ToyVision, toy_encoder


def picture(level, size=(4, 4)):
    return Image.new("RGB", size, (level, 2 * level % 256, 255 - level))


def expected(level):
    """What the toy says of a picture of one colour."""
    red, green, blue = (2 * np.float32(value) / 255 - 1 for value in (level, 2 * level % 256, 255 - level))
    return [red, green, blue, 1]


def files(folder, levels):
    paths = [folder / f"{number:02} é.png" for number in range(len(levels))]
    for path, level in zip(paths, levels, strict=True):
        picture(level).save(path)
    return paths


def test_rows_come_in_the_order_of_the_pictures():
    features = toy_encoder().encode_images([picture(level) for level in (9, 3, 200, 50)], batch_size=3)

    np.testing.assert_allclose(features.image_embeds, [expected(level) for level in (9, 3, 200, 50)], atol=1e-6)
    assert features.names == ("picture 1", "picture 2", "picture 3", "picture 4")
    assert features.kept == (0, 1, 2, 3)
    assert features.image_embeds.dtype == torch.float32


def test_batches_give_what_single_pictures_give():
    levels = range(0, 250, 10)
    together = toy_encoder().encode_images([picture(level) for level in levels], batch_size=7)
    alone = [toy_encoder().encode_images(picture(level)).image_embeds[0] for level in levels]

    np.testing.assert_allclose(together.image_embeds, torch.stack(alone), atol=1e-6)


def test_every_kind_of_picture_is_taken_in_one_list(tmp_path):
    image = picture(40, (6, 8))
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).float() / 255
    mixed = [files(tmp_path, [40])[0], image, array, tensor.permute(2, 0, 1), torch.stack([tensor, tensor])]

    features = toy_encoder().encode_images(mixed)

    np.testing.assert_allclose(features.image_embeds, [expected(40)] * 6, atol=1e-6)


def test_a_generator_is_taken_and_progress_tells_what_is_known():
    seen = []
    features = toy_encoder().encode_images(
        (picture(level) for level in range(5)), batch_size=2, progress=lambda done, total: seen.append((done, total))
    )

    assert len(features) == 5
    assert seen[-1] == (5, 5)
    assert [done for done, _ in seen] == [2, 4, 5, 5]


def test_progress_counts_to_the_number_of_pictures():
    seen = []
    toy_encoder().encode_images(
        [picture(level) for level in range(5)], batch_size=2, progress=lambda *counts: seen.append(counts)
    )

    assert seen == [(2, 5), (4, 5), (5, 5), (5, 5)]


def test_equal_pictures_are_computed_once(tmp_path):
    vision = ToyVision()
    paths = files(tmp_path, [7, 8, 7])

    features = toy_encoder(vision=vision).encode_images([*paths, paths[0], paths[1]])

    assert sum(vision.sizes) == 2
    np.testing.assert_allclose(features.image_embeds, [expected(level) for level in (7, 8, 7, 7, 8)], atol=1e-6)


def test_a_second_run_over_unchanged_pictures_makes_no_forward_pass(tmp_path):
    vision, cache = ToyVision(), EmbeddingCache()
    encoder = toy_encoder(vision=vision, cache=cache)
    pictures = [*files(tmp_path, [1, 2, 3]), picture(90)]
    first = encoder.encode_images(pictures)
    done = sum(vision.sizes)

    second = encoder.encode_images(pictures)

    assert sum(vision.sizes) == done == 4
    assert cache.hits == 4
    torch.testing.assert_close(second.image_embeds, first.image_embeds, rtol=0, atol=0)


def test_a_changed_picture_is_computed_anew(tmp_path):
    vision = ToyVision()
    encoder = toy_encoder(vision=vision)
    path = files(tmp_path, [1])[0]
    encoder.encode_images(path)
    picture(2).save(path)

    features = encoder.encode_images(path)

    np.testing.assert_allclose(features.image_embeds, [expected(2)], atol=1e-6)


def test_another_preprocessing_is_computed_anew_and_reported():
    from dataclasses import replace

    vision = ToyVision()
    encoder = toy_encoder(vision=vision)
    encoder.encode_images(picture(1))
    other = replace(PREPROCESSING, mean=(0.0, 0.0, 0.0))

    features = encoder.encode_images(picture(1), preprocessing=other)

    assert sum(vision.sizes) == 2
    assert features.preprocessing == other


def test_more_states_of_known_pictures_are_computed():
    vision = ToyVision()
    encoder = toy_encoder(vision=vision)
    encoder.encode_images(picture(1))

    encoder.encode_images(picture(1), wants=("embeds", "patch_tokens"))
    encoder.encode_images(picture(1), wants=("patch_tokens",))

    assert sum(vision.sizes) == 2


def test_statistics_of_the_pixels_come_with_the_features_where_they_are_asked_for(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    given = [*files(tmp_path, [40]), picture(9), noise, torch.from_numpy(noise) / 255]

    features = toy_encoder().encode_images(given, with_statistics=True)

    expected = [pixel_statistics(one) for one in (picture(40), picture(9), Image.fromarray(noise))]
    np.testing.assert_allclose(features.statistics, [*expected, expected[2]], atol=1e-5)
    assert [emptiness(one) for one in features.statistics] == ["blank", "blank", "noise", "noise"]
    assert toy_encoder().encode_images(given).statistics is None


def test_statistics_of_known_files_are_taken_from_the_cache(tmp_path, monkeypatch):
    paths, tower = files(tmp_path, [9, 40]), ToyVision()
    encoder = toy_encoder(vision=tower)
    embedded = encoder.encode_images(paths)

    # of embeddings that are known alone, the pixels are looked at once, and nothing is computed anew
    first = encoder.encode_images(paths, with_statistics=True)
    monkeypatch.setattr(reading, "pixel_statistics", lambda picture: pytest.fail("they are known"))
    again = encoder.encode_images(paths, with_statistics=True)

    assert sum(tower.sizes) == 2
    np.testing.assert_array_equal(first.statistics, again.statistics)
    np.testing.assert_array_equal(embedded.image_embeds, again.image_embeds)


def test_statistics_are_those_of_the_pictures_that_could_be_read(tmp_path):
    paths = files(tmp_path, [9, 40, 60])
    paths[1].write_bytes(b"no picture")

    features = toy_encoder().encode_images(paths, strict=False, with_statistics=True)

    assert (features.kept, features.statistics.shape) == ((0, 2), (2, 2))


def test_one_broken_file_costs_itself_alone_and_batches_stay_full(tmp_path):
    paths = files(tmp_path, range(9))
    paths[4].write_bytes(b"not a picture")
    vision = ToyVision()

    features = toy_encoder(vision=vision).encode_images(paths, batch_size=4, strict=False)

    assert vision.sizes == [4, 4]
    assert features.kept == (0, 1, 2, 3, 5, 6, 7, 8)
    assert [(f.index, f.name, f.stage) for f in features.failed] == [(4, str(paths[4]), "read")]
    assert features.failed[0].reason
    np.testing.assert_allclose(features.image_embeds, [expected(n) for n in features.kept], atol=1e-6)


def test_one_broken_file_is_named_where_all_are_needed(tmp_path):
    paths = files(tmp_path, range(5))
    paths[3].write_bytes(b"not a picture")

    with pytest.raises(PictureError) as caught:
        toy_encoder().encode_images(paths)
    assert caught.value.name == str(paths[3])


def test_a_file_that_is_gone_is_a_failed_picture(tmp_path):
    features = toy_encoder().encode_images([tmp_path / "gone.png", picture(1)], strict=False)

    assert features.kept == (1,)
    assert features.failed[0].name.endswith("gone.png")


def test_where_every_picture_is_broken_the_result_says_so(tmp_path):
    features = toy_encoder().encode_images([tmp_path / "gone.png"], strict=False)

    assert len(features) == 0 and len(features.failed) == 1
    with pytest.raises(InputError, match="no picture could be read"):
        features.require("embeds")


def test_a_picture_of_nan_is_named():
    good, bad = torch.rand(5, 6, 3), torch.full((5, 6, 3), float("nan"))

    features = toy_encoder().encode_images([good, bad, good / 2], strict=False)

    assert features.kept == (0, 2)
    assert features.failed[0].name == "picture 2" and "NaN" in features.failed[0].reason


def test_a_broken_color_profile_costs_a_note_and_nothing_else(tmp_path):
    path = tmp_path / "a.png"
    picture(40).save(path, icc_profile=b"no profile")

    features = toy_encoder().encode_images([path, picture(9)])

    np.testing.assert_allclose(features.image_embeds, [expected(40), expected(9)], atol=1e-6)
    (note,) = features.notes
    assert note.startswith(f"1 picture is taken without color profile: {path} (its color profile cannot be used")


def test_floats_of_minus_one_to_one_are_read_as_the_preprocessing_says():
    from dataclasses import replace

    levels = torch.tensor([255, 51, 0], dtype=torch.uint8).expand(1, 4, 4, 3)
    other = replace(PREPROCESSING, value_range="-1..1")

    features = toy_encoder().encode_images([levels.float() / 127.5 - 1, levels, picture(9)], preprocessing=other)

    np.testing.assert_allclose(features.image_embeds, [[1, -0.6, -1, 1], [1, -0.6, -1, 1], expected(9)], atol=1e-6)
    with pytest.raises(PictureError, match=r"value_range='-1\.\.1'"):
        toy_encoder().encode_images(levels.float() / 127.5 - 1)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_a_picture_that_needs_too_much_memory_costs_itself_alone(monkeypatch, error):
    def prepare(picture, preprocessing):
        if picture.size == (9, 9):
            raise error
        return true_prepare(picture, preprocessing)

    true_prepare = image_features.prepare
    monkeypatch.setattr(image_features, "prepare", prepare)
    pictures = [picture(1), picture(2, (9, 9)), picture(3)]

    features = toy_encoder().encode_images(pictures, strict=False)

    assert features.kept == (0, 2) and len(features.failed) == 1
    assert features.failed[0].reason == "needs more memory than is free; close other programs, or scale it down"
    with pytest.raises(PictureError, match="picture 2: needs more memory than is free"):
        toy_encoder().encode_images(pictures)


def test_a_file_that_cannot_be_decoded_for_want_of_memory_costs_itself_alone(tmp_path, monkeypatch):
    paths = files(tmp_path, [1, 2, 3])
    true_load_picture = imaging.load_picture

    def full(path, *args, **how):
        if path == paths[1]:
            raise MemoryError
        return true_load_picture(path, *args, **how)

    monkeypatch.setattr(pictures_module, "load_picture", full)

    features = toy_encoder().encode_images(paths, strict=False)

    assert features.kept == (0, 2) and "needs more memory" in features.failed[0].reason


def test_other_errors_of_preparing_are_no_fault_of_the_picture(monkeypatch):
    def prepare(picture, preprocessing):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(image_features, "prepare", prepare)

    with pytest.raises(RuntimeError, match="shapes"):
        toy_encoder().encode_images(picture(1), strict=False)


def with_fallback(vision, **options):
    """A toy encoder in fp16 that nobody asked for, and the fp32 one that takes its place."""
    exact = ToyVision()
    encoder = toy_encoder(vision=vision, dtype="fp16", in_fp32=exact, **options)
    return encoder, exact


def test_numbers_too_large_for_fp16_are_computed_in_fp32_from_then_on(caplog):
    half = ToyVision(breaks_above=0.5)
    cache = EmbeddingCache()
    encoder, exact = with_fallback(half, cache=cache)
    levels = [9, 250, 3, 240, 5, 6, 7, 230]

    features = encoder.encode_images([picture(level) for level in levels], batch_size=4)

    np.testing.assert_allclose(features.image_embeds, [expected(level) for level in levels], atol=1e-6)
    assert half.sizes == [4] and exact.sizes == [2, 4]
    assert features.dtype == "fp32" and "computes in fp32 from now on" in features.notes[0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    later = encoder.encode_images(picture(77))
    assert exact.sizes == [2, 4, 1] and "fp32" in later.notes[0]
    assert encoder.encode_images(picture(250)).kept == (0,) and sum(exact.sizes) == 7, "it is cached"


def test_progress_counts_to_the_end_where_fp32_takes_over():
    encoder, _ = with_fallback(ToyVision(breaks_above=0.5))
    seen = []

    encoder.encode_images([picture(level) for level in (1, 250, 2)], progress=lambda *counts: seen.append(counts))

    assert seen[-1] == (3, 3) and all(done <= 3 for done, _ in seen)


def test_numbers_that_are_not_finite_in_fp32_either_cost_their_picture_alone():
    exact = ToyVision(breaks_above=0.9)
    encoder = toy_encoder(vision=ToyVision(breaks_above=0.5), dtype="fp16", in_fp32=exact)

    features = encoder.encode_images([picture(1), picture(255), picture(240)], strict=False)

    assert features.kept == (0, 2)
    assert "in fp32 too; its file is damaged" in features.failed[0].reason
    with pytest.raises(PictureError, match=r"picture 1.*in fp32 too"):
        encoder.encode_images(picture(255))


def test_where_the_caller_chose_fp16_the_error_has_the_cure():
    encoder = toy_encoder(vision=ToyVision(breaks_above=0.5), dtype="fp16")

    with pytest.raises(PictureError, match=r"picture 1: .*not finite; choose dtype='fp32'"):
        encoder.encode_images(picture(255))


def test_numbers_that_are_not_finite_cost_their_picture_alone():
    encoder = toy_encoder(vision=ToyVision(breaks_above=0.9))

    features = encoder.encode_images([picture(1), picture(255), picture(2), picture(255)], strict=False)

    assert features.kept == (0, 2)
    assert [(failure.index, failure.stage) for failure in features.failed] == [(1, "encode"), (3, "encode")]
    with pytest.raises(PictureError, match=r"picture 2.*not finite"):
        encoder.encode_images([picture(1), picture(255)])


def test_interrupting_stops_within_a_batch_and_ends_the_threads():
    class Stop(Exception):
        pass

    def progress(done, total):
        if done >= 4:
            raise Stop

    vision, taken = ToyVision(), []

    def pictures():
        for level in range(200):
            taken.append(level)
            yield picture(level)

    before = threading.active_count()
    with pytest.raises(Stop):
        toy_encoder(vision=vision).encode_images(pictures(), batch_size=2, progress=progress)

    assert vision.sizes == [2, 2]
    assert len(taken) <= 4 + 3 * 2
    assert threading.active_count() == before


def test_what_was_computed_before_an_interruption_is_known_later():
    def progress(done, total):
        raise KeyboardInterrupt

    vision = ToyVision()
    encoder = toy_encoder(vision=vision)
    pictures = [picture(level) for level in range(4)]
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_images(pictures, batch_size=2, progress=progress)

    encoder.encode_images(pictures, batch_size=2)

    assert vision.sizes == [2, 2]


def test_memory_that_runs_out_halves_the_batches_and_the_numbers_stay():
    vision, place = ToyVision(), ToyPlacement(capacity=3)
    encoder = toy_encoder(vision=vision, placement=place)

    features = encoder.encode_images([picture(level) for level in range(12)], batch_size=12)

    assert place.asked[:3] == [12_000, 6_000, 3_000]
    assert vision.sizes == [3, 3, 3, 3]
    np.testing.assert_allclose(features.image_embeds, [expected(level) for level in range(12)], atol=1e-6)
    assert features.notes == ()


def test_without_room_for_one_the_processor_computes_and_the_result_says_so():
    place = ToyPlacement(capacity=0, device=torch.device("meta"))
    encoder = toy_encoder(placement=place)
    # the toy's device is only a name: its tensors stay where they are
    place.move_to_cpu = lambda: (setattr(place, "capacity", 1000), setattr(place, "device", torch.device("cpu")))

    features = encoder.encode_images([picture(level) for level in range(3)])

    assert len(features) == 3
    assert "processor computed" in features.notes[0]


def test_a_budget_sets_the_first_batches():
    vision = ToyVision()

    toy_encoder(vision=vision, budget=5000).encode_images([picture(level) for level in range(12)])

    assert vision.sizes == [5, 5, 2]


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_no_pictures_are_refused(nothing):
    with pytest.raises(InputError, match="no pictures"):
        toy_encoder().encode_images(nothing)


def test_a_batch_of_none_is_refused():
    with pytest.raises(InputError, match="batch_size is 0"):
        toy_encoder().encode_images(picture(1), batch_size=0)


def test_every_state_has_its_name_and_place():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2, 0] = 255
    wants = ("embeds", "cls_hidden", "patch_tokens", "penultimate_hidden", "last_hidden", "projected_patches")

    features = toy_encoder().encode_images(image, wants=wants)

    np.testing.assert_allclose(features.patch_tokens[0, :, 0], [1, -1, -1, -1], atol=1e-6)
    np.testing.assert_allclose(features.cls_hidden[0], [-0.5, -1, -1], atol=1e-6)
    torch.testing.assert_close(features.last_hidden[:, 1:], features.patch_tokens)
    torch.testing.assert_close(features.last_hidden[:, 0], features.cls_hidden)
    torch.testing.assert_close(features.penultimate_hidden, features.last_hidden - 1)
    torch.testing.assert_close(features.projected_patches[:, 0], features.image_embeds)
    assert features.absent == {}


def test_a_model_that_can_give_none_of_what_is_asked_says_why():
    from dataclasses import replace

    encoder = toy_encoder(able=replace(ABLE, projection=None))

    with pytest.raises(InputError, match=r"no visual projection.*clip_vision_h"):
        encoder.encode_images(picture(1))
    features = encoder.encode_images(picture(1), wants=("embeds", "last_hidden"))
    assert features.image_embeds is None
    with pytest.raises(InputError, match="no visual projection"):
        features.require("image_embeds")
