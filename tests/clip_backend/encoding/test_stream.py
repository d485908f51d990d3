"""The stream of pictures: order, what the caller sees and knows, bounds, twins, faults and the end of its threads."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid import imaging
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.file_hashes import FileHashes
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.encoding.outcomes import Ok
from clip_grid.clip_backend.encoding.reading import Computation
from clip_grid.clip_backend.encoding.stream import MAX_WAITING
from clip_grid.clip_backend.preparing import pictures as pictures_module
from clip_grid.errors import InputError, PictureError

from .test_images import expected, files, picture
from .toy_encoder import ToyVision, toy_encoder


def many():
    """Pictures without end, no two of them equal for a long time."""
    for number in itertools.count():
        array = np.full((4, 4, 3), (number % 256, number // 256 % 256, number // 65536), np.uint8)
        yield array


def test_outcomes_come_in_order_each_with_its_rows_name_and_hash(tmp_path):
    paths = files(tmp_path, [9, 3, 200, 50, 7])
    paths[2].write_bytes(b"no picture")

    outcomes = list(toy_encoder().stream_images([*paths, picture(1)], batch_size=2))

    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3, 4, 5]
    assert [outcome.name for outcome in outcomes] == [*map(str, paths), "picture 6"]
    assert isinstance(outcomes.pop(2), FailedPicture)
    assert all(isinstance(outcome, Ok) for outcome in outcomes)
    for outcome, level in zip(outcomes, (9, 3, 50, 7, 1), strict=True):
        np.testing.assert_allclose(outcome.rows["embeds"], expected(level), atol=1e-6)
        assert outcome.embedding == pytest.approx(np.array(expected(level)) / np.linalg.norm(expected(level)))
    assert outcomes[0].key == imaging.content_hash(paths[0].read_bytes())
    assert outcomes[4].key and outcomes[4].status is None


def test_outcomes_are_those_of_all_pictures_together(tmp_path):
    paths = files(tmp_path, [9, 3, 200, 9])
    wants = ("embeds", "patch_tokens")

    outcomes = list(toy_encoder().stream_images(paths, wants=wants, batch_size=3, with_statistics=True))

    together = toy_encoder().encode_images(paths, wants=wants, batch_size=3, with_statistics=True)
    np.testing.assert_array_equal([one.rows["embeds"] for one in outcomes], together.image_embeds)
    np.testing.assert_array_equal([one.rows["patch_tokens"] for one in outcomes], together.patch_tokens)
    np.testing.assert_array_equal([one.statistics for one in outcomes], together.statistics)


def test_a_broken_picture_leaves_no_gap_in_the_batches(tmp_path):
    paths = files(tmp_path, range(9))
    paths[1].write_bytes(b"no picture")
    vision = ToyVision()

    list(toy_encoder(vision=vision).stream_images(paths, batch_size=4))

    assert vision.sizes == [4, 4]


def test_numbers_that_are_not_finite_fail_their_picture_and_its_twin():
    vision = ToyVision(breaks_above=0.9)

    outcomes = list(toy_encoder(vision=vision).stream_images([picture(1), picture(255), picture(2), picture(255)]))

    assert [isinstance(one, Ok) for one in outcomes] == [True, False, True, False]
    assert {one.stage for one in outcomes[1::2]} == {"encode"}


def test_the_first_outcome_comes_before_the_last_picture_is_asked_for():
    taken = []

    def counted():
        for array in many():
            taken.append(len(taken))
            yield array

    stream = toy_encoder().stream_images(counted(), batch_size=2)
    first = [next(stream), next(stream)]
    stream.close()

    assert [one.index for one in first] == [0, 1]
    assert len(taken) <= 2 + 3 * 2


def test_what_was_handed_over_is_dropped_so_that_a_stream_may_be_endless():
    stream = toy_encoder(cache=EmbeddingCache(max_bytes=1000)).stream_images(many(), batch_size=4)
    alive = []
    for number in range(3):
        for _ in range(200):
            next(stream)
        gc.collect()
        alive.append(sum(type(one) is Computation for one in gc.get_objects()))
        assert alive[number] <= 3 * 4 + 4 * 4
    stream.close()


def test_rows_hold_no_batch_in_memory_and_cannot_be_written_to():
    first, _ = toy_encoder().stream_images([picture(1), picture(2)], batch_size=2)

    assert first.rows["embeds"].base is None
    with pytest.raises(ValueError, match="read-only"):
        first.rows["embeds"][0] = 5


def test_equal_pictures_are_computed_once_at_once_and_later(tmp_path):
    vision = ToyVision()
    first, twin, other = files(tmp_path, [7, 7, 8])

    outcomes = list(toy_encoder(vision=vision).stream_images([first, twin, other] * 20, batch_size=4))

    assert sum(vision.sizes) == 2
    assert len(outcomes) == 60 and {one.key for one in outcomes} == {outcomes[0].key, outcomes[2].key}


def test_known_files_are_neither_decoded_nor_computed(tmp_path, monkeypatch):
    paths = files(tmp_path, [1, 2, 3])
    keys = [imaging.content_hash(path.read_bytes()) for path in paths]
    asked, decoded, vision = [], [], ToyVision()
    load_picture = pictures_module.load_picture
    monkeypatch.setattr(
        pictures_module,
        "load_picture",
        lambda path, *rest, **how: decoded.append(path) or load_picture(path, *rest, **how),
    )

    def is_known(key):
        asked.append(key)
        return key != keys[1]

    outcomes = list(toy_encoder(vision=vision).stream_images(paths, is_known=is_known, observe=lambda *seen: "seen"))

    assert [one.key for one in outcomes] == keys and sorted(asked) == sorted(keys)
    assert decoded == [paths[1]] and vision.sizes == [1]
    assert [one.observed for one in outcomes] == [None, "seen", None]
    assert [one.embedding is None for one in outcomes] == [True, False, True]
    assert [one.status.st_size for one in outcomes] == [path.stat().st_size for path in paths]


def test_known_pictures_in_memory_are_not_computed():
    vision = ToyVision()
    (key,) = (one.key for one in toy_encoder().stream_images(picture(5)))

    known, new = toy_encoder(vision=vision).stream_images([picture(5), picture(6)], is_known=lambda one: one == key)

    assert vision.sizes == [1] and not known.rows and new.rows


def test_a_file_whose_hash_is_kept_is_not_even_opened_if_it_is_known(tmp_path, monkeypatch):
    (path,) = files(tmp_path, [1])
    os.utime(path, (time.time() - 100, time.time() - 100))
    cache = EmbeddingCache(file_hashes=FileHashes(tmp_path / "cache"))
    (first,) = toy_encoder(cache=cache).stream_images(path)
    monkeypatch.setattr(pictures_module, "open_file", lambda path: pytest.fail("it was opened"))

    (again,) = toy_encoder(cache=cache).stream_images(path, is_known=lambda key: key == first.key)

    assert not again.rows and again.key == first.key
    assert again.status == path.stat() == first.status


def test_the_caller_sees_the_bytes_and_the_picture_of_one_read_in_the_thread(tmp_path, monkeypatch):
    paths = files(tmp_path, [1, 2])
    opened, threads = [], set()
    open_file = pictures_module.open_file
    monkeypatch.setattr(pictures_module, "open_file", lambda path: opened.append(path) or open_file(path))

    def observe(one, content, image):
        threads.add(threading.current_thread())
        return one.path, content.data, image.getpixel((0, 0))

    outcomes = list(toy_encoder().stream_images([*paths, picture(9)], observe=lambda *seen: seen))
    assert outcomes[2].observed[1] is None and outcomes[2].observed[0].name == "picture 3"
    opened.clear()
    outcomes = list(toy_encoder().stream_images(paths, observe=observe))

    assert [one.observed for one in outcomes] == [
        (path, path.read_bytes(), (level, 2 * level, 255 - level)) for path, level in zip(paths, (1, 2), strict=True)
    ]
    assert sorted(opened) == paths and threading.main_thread() not in threads


def test_cached_files_are_seen_by_the_caller_too_and_not_computed(tmp_path):
    vision = ToyVision()
    encoder = toy_encoder(vision=vision)
    paths = files(tmp_path, [1, 2])
    encoder.encode_images(paths)

    outcomes = list(encoder.stream_images(paths, observe=lambda one, content, image: image.size))

    assert sum(vision.sizes) == 2
    assert [(one.observed, bool(one.rows)) for one in outcomes] == [((4, 4), True)] * 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PictureError("a.png", "has no workflow"), "has no workflow"), (InputError("it is odd"), "it is odd")],
)
def test_an_error_of_ours_while_the_caller_looks_costs_that_picture(error, reason):
    def observe(one, content, image):
        if one.name == "picture 2":
            raise error

    outcomes = list(toy_encoder().stream_images([picture(1), picture(2), picture(3)], observe=observe))

    assert [isinstance(one, Ok) for one in outcomes] == [True, False, True]
    assert (outcomes[1].stage, outcomes[1].reason) == ("read", reason)


def test_another_error_while_the_caller_looks_ends_the_stream_and_its_threads():
    def observe(one, content, image):
        raise KeyError("a mistake of the caller")

    before = threading.active_count()
    with pytest.raises(KeyError):
        list(toy_encoder().stream_images(many(), observe=observe))
    assert threading.active_count() == before


@pytest.mark.parametrize("max_bytes", [1 << 20, 1], ids=["hashed", "too large to be hashed"])
def test_the_status_is_that_of_the_file_as_it_was_read(tmp_path, monkeypatch, max_bytes):
    monkeypatch.setattr(pictures_module, "MAX_FILE_BYTES", max_bytes)
    still, changing = files(tmp_path, [1, 2])
    load, open_file = pictures_module.NamedPicture.load, pictures_module.open_file

    def touched(path):
        if path == changing:
            os.utime(path, ns=(1, 1))

    def touching_load(one, content=None):
        touched(one.path)
        return load(one, content)

    class Touching:
        """A file that is written to while it is read."""

        def __init__(self, path):
            self._path, self._file = path, open_file(path)
            self.fileno = self._file.fileno

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._file.close()

        def read(self):
            touched(self._path)
            return self._file.read()

    monkeypatch.setattr(pictures_module, "open_file", Touching)
    monkeypatch.setattr(pictures_module.NamedPicture, "load", touching_load)

    outcomes = list(toy_encoder().stream_images([still, changing]))

    assert [one.status for one in outcomes] == [still.stat(), None]


def test_known_pictures_do_not_pile_up_behind_a_new_one(tmp_path):
    new, known = files(tmp_path, [1, 2])
    vision = ToyVision()
    key = imaging.content_hash(known.read_bytes())
    stream = toy_encoder(vision=vision).stream_images(
        itertools.chain([new], itertools.repeat(known, 3 * MAX_WAITING)), batch_size=32, is_known=lambda one: one == key
    )

    first = next(stream)
    waiting = sum(1 for _ in itertools.takewhile(lambda one: one.index < MAX_WAITING - 1, stream))
    stream.close()

    assert first.rows and vision.sizes == [1] and waiting == MAX_WAITING - 2


def test_closing_stops_within_a_batch_and_ends_the_threads():
    vision, before = ToyVision(), threading.active_count()
    stream = toy_encoder(vision=vision).stream_images(many(), batch_size=2)
    next(stream)

    stream.close()

    assert vision.sizes == [2] and threading.active_count() == before


def test_a_stream_that_is_not_gone_through_reads_nothing_but_refuses_bad_wants_at_once(tmp_path):
    encoder = toy_encoder()

    stream = encoder.stream_images(tmp_path / "gone.png")
    with pytest.raises(InputError, match="wants names 'depth'"):
        encoder.stream_images(tmp_path / "gone.png", wants="depth")

    (failed,) = stream
    assert isinstance(failed, FailedPicture)
    assert list(encoder.stream_images([])) == []


def test_two_streams_take_turns_on_their_device():
    computing, most = [], []

    class Watched(ToyVision):
        def __call__(self, pixels, *, states=False):
            computing.append(1)
            most.append(len(computing))
            time.sleep(0.001)
            computing.pop()
            return super().__call__(pixels, states=states)

    def work():
        list(toy_encoder(vision=Watched()).stream_images(itertools.islice(many(), 20), batch_size=1))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(most) == 1 and len(most) == 60
