"""Files that did not change are not read again, and each embedding is that of the bytes that were hashed."""

from __future__ import annotations

import builtins
import logging
import os
import sqlite3
import threading
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.encoding import file_hashes
from clip_grid.clip_backend.encoding.assembly import cache_of
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.devices import LoadOptions
from clip_grid.clip_backend.encoding.file_hashes import FILE_NAME, FileHashes
from clip_grid.clip_backend.preparing import pictures as preparing_pictures
from clip_grid.imaging import content_hash
from PIL import Image

from .toy_encoder import ToyVision, toy_encoder


def save(path, level):
    Image.new("RGB", (8, 8), (level, 2 * level % 256, 255 - level)).save(path, "BMP")


def age(*paths, seconds=3600):
    """Makes the files look as if they had been written some time ago."""
    for path in paths:
        os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"{level} é.bmp" for level in range(0, 200, 40)]
    for level, path in enumerate(paths):
        save(path, 40 * level)
    age(*paths)
    return paths


def encoder_of(folder, **options):
    """A toy encoder as a new process has it, with a cache folder."""
    return toy_encoder(
        cache=cache_of(LoadOptions(device=torch.device("cpu"), dtype="fp32", cache_folder=folder)), **options
    )


@pytest.fixture
def opened(monkeypatch, files):
    """The pictures that are opened from now on, by whoever."""
    seen = []

    def spied(true_open):
        def spy(file, *args, **options):
            if not isinstance(file, int) and os.path.dirname(os.fspath(file)) == str(files[0].parent):
                seen.append(os.fspath(file))
            return true_open(file, *args, **options)

        return spy

    monkeypatch.setattr(builtins, "open", spied(builtins.open))
    monkeypatch.setattr(os, "open", spied(os.open))
    return seen


def test_a_second_run_over_unchanged_files_opens_none_of_them(files, tmp_path, opened):
    first = encoder_of(tmp_path / "cache").encode_images(files)
    assert sorted(opened) == sorted(map(str, files)), "each is opened once in the first run"
    opened.clear()

    second = encoder_of(tmp_path / "cache").encode_images(files)

    assert opened == []
    assert torch.equal(first.image_embeds, second.image_embeds) and first.names == second.names


def test_a_relative_path_is_known_too(files, tmp_path, opened, monkeypatch):
    encoder_of(tmp_path / "cache").encode_images(files)
    opened.clear()
    monkeypatch.chdir(files[0].parent)

    encoder_of(tmp_path / "cache").encode_images([path.name for path in files])

    assert opened == []


def test_without_a_cache_folder_nothing_is_written(files, tmp_path):
    cache = cache_of(LoadOptions(device=torch.device("cpu"), dtype="fp32"))

    toy_encoder(cache=cache).encode_images(files)

    assert cache.file_hashes is None and [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.parametrize("change", ["later", "same times", "replaced"])
def test_a_file_with_other_content_is_computed_anew(files, tmp_path, change):
    encoder_of(tmp_path / "cache").encode_images(files)
    before = files[1].stat()
    if change == "replaced":
        # as many archives and synchronising programs do: another file of the same size and time
        save(tmp_path / "other", 200)
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(tmp_path / "other", files[1])
    else:
        save(files[1], 200)
        if change == "same times":
            os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files[1].stat().st_size == before.st_size

    again = encoder_of(tmp_path / "cache").encode_images(files)

    alone = toy_encoder().encode_images(files)
    assert torch.equal(again.image_embeds, alone.image_embeds)


def test_a_file_written_a_moment_ago_is_read_again(files, tmp_path, opened):
    save(files[0], 9)

    for _ in range(2):
        opened.clear()
        encoder_of(tmp_path / "cache").encode_images(files)

    assert opened == [str(files[0])]


def test_a_file_that_is_replaced_while_it_is_read_gives_no_wrong_entry(files, tmp_path, monkeypatch):
    true_hash = preparing_pictures.content_hash

    def hash_then_replace(data):
        save(files[0], 77)
        age(files[0])
        return true_hash(data)

    monkeypatch.setattr(preparing_pictures, "content_hash", hash_then_replace)
    raced = encoder_of(tmp_path / "cache").encode_images(files[:1])
    monkeypatch.undo()

    after = encoder_of(tmp_path / "cache").encode_images(files[:1])

    np.testing.assert_allclose(raced.image_embeds[0, :3], [-1, -1, 1], atol=1e-6)
    np.testing.assert_allclose(after.image_embeds[0, :3], np.float32([77, 154, 178]) * 2 / 255 - 1, atol=1e-6)


def test_what_is_decoded_is_what_was_read_though_the_file_is_gone(files, monkeypatch):
    true_read = preparing_pictures.NamedPicture.read

    def read_then_remove(picture):
        content = true_read(picture)
        picture.path.unlink()
        return content

    monkeypatch.setattr(preparing_pictures.NamedPicture, "read", read_then_remove)

    assert len(toy_encoder().encode_images(files)) == len(files)


def test_a_large_file_is_known_by_its_pixels(files, tmp_path, monkeypatch):
    monkeypatch.setattr(preparing_pictures, "MAX_FILE_BYTES", 10)
    vision = ToyVision()

    for _ in range(2):
        encoder_of(tmp_path / "cache", vision=vision).encode_images(files)

    assert sum(vision.sizes) == len(files)


def test_another_model_reads_the_files_and_uses_the_bytes_once(files, tmp_path, opened):
    encoder_of(tmp_path / "cache").encode_images(files)
    opened.clear()
    other = encoder_of(tmp_path / "cache")
    from dataclasses import replace

    other.identity = replace(other.identity, cache_key="another model")
    other.encode_images(files)

    assert sorted(opened) == sorted(map(str, files))


def test_equal_files_that_are_known_are_computed_once(files, tmp_path):
    hashes = FileHashes(tmp_path)
    twin = files[0].with_name("twin.bmp")
    save(twin, 0)
    age(twin)
    vision = ToyVision()
    for path in (files[0], twin):
        hashes.put(path, path.stat(), content_hash(path.read_bytes()))

    cache = EmbeddingCache(file_hashes=hashes)
    toy_encoder(vision=vision, cache=cache).encode_images([files[0], twin])

    assert sum(vision.sizes) == 1


# the file of hashes


def test_hashes_are_found_by_another_process_and_only_for_the_same_state(files, tmp_path):
    hashes = FileHashes(tmp_path)
    hashes.put(files[0], files[0].stat(), "sha256:1")
    assert hashes.get(files[0]) == "sha256:1", "before it is written"
    hashes.flush()

    assert FileHashes(tmp_path).get(files[0]) == "sha256:1"
    assert FileHashes(tmp_path).get(files[1]) == FileHashes(tmp_path).get(tmp_path / "gone") == ""
    age(files[0], seconds=7200)
    assert FileHashes(tmp_path).get(files[0]) == ""


@pytest.mark.parametrize(("late_s", "known"), [(1.9, False), (2.1, True), (-3600, False)])
def test_a_file_is_trusted_two_seconds_after_its_last_change(files, tmp_path, late_s, known):
    status = files[0].stat()
    hashes = FileHashes(tmp_path, clock_ns=lambda: status.st_mtime_ns + int(late_s * 1e9))

    hashes.put(files[0], status, "sha256:1")

    assert bool(hashes.get(files[0])) is known


def test_those_hashed_longest_ago_are_dropped(files, tmp_path, monkeypatch):
    monkeypatch.setattr(file_hashes, "MAX_FILES", 3)
    hashes = FileHashes(tmp_path)
    for path in (*files, files[2]):
        hashes.put(path, path.stat(), "sha256:1")
        hashes.flush()

    assert [bool(hashes.get(path)) for path in files] == [False, False, True, True, True]


def test_many_hashes_are_written_before_the_end(files, tmp_path, monkeypatch):
    monkeypatch.setattr(file_hashes, "MAX_WAITING", 2)
    hashes = FileHashes(tmp_path)
    for path in files[:2]:
        hashes.put(path, path.stat(), "sha256:1")

    assert FileHashes(tmp_path).get(files[1]) == "sha256:1"


@pytest.mark.parametrize("content", [b"this is no database, but longer than its header" * 40, b""])
def test_a_broken_table_costs_a_warning_and_begins_anew(files, tmp_path, caplog, content):
    (tmp_path / FILE_NAME).write_bytes(content)

    assert len(encoder_of(tmp_path).encode_images(files)) == len(files)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == bool(content) and all("pictures are read again" in warning for warning in warnings)
    encoder_of(tmp_path).encode_images(files)

    assert FileHashes(tmp_path).get(files[0])


def test_a_table_of_another_version_is_dropped(files, tmp_path):
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("CREATE TABLE files (something INTEGER)")
        database.execute("PRAGMA user_version = 99")
    database.close()
    hashes = FileHashes(tmp_path)

    hashes.put(files[0], files[0].stat(), "sha256:1")
    hashes.flush()

    assert FileHashes(tmp_path).get(files[0]) == "sha256:1"


def test_a_table_that_another_process_holds_is_asked_once_and_costs_nothing_else(files, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(file_hashes, "PATIENCE_S", 0.05)
    encoder_of(tmp_path).encode_images(files)
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    features = encoder_of(tmp_path).encode_images(files)
    holder.close()

    assert len(features) == len(files)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert FileHashes(tmp_path).get(files[0])


def test_many_threads_and_two_stores_write_one_table(files, tmp_path):
    stores = [FileHashes(tmp_path) for _ in range(4)]

    def work(store):
        for path in files:
            store.put(path, path.stat(), "sha256:1")
            assert store.get(path) == "sha256:1"
            store.flush()

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(FileHashes(tmp_path).get(path) for path in files)
