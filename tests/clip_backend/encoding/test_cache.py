"""Caches in memory: what was used longest ago goes first; keys; the default folder for embeddings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.cache import (
    EmbeddingCache,
    EncoderCache,
    LruCache,
    cache_bytes,
    default_cache_folder,
    file_identity,
    row_key,
)
from clip_grid.errors import CheckpointError, InputError


def row(*values):
    return np.array(values, np.float32)


# in memory


def test_the_value_used_longest_ago_goes_first():
    held = LruCache(2)
    held.put("a", 1)
    held.put("b", 2)
    held.get("a")

    held.put("c", 3)

    assert (held.get("a"), held.get("b"), held.get("c")) == (1, None, 3)


def test_bytes_bound_the_memory_and_a_row_put_twice_counts_once():
    cache = EmbeddingCache(max_bytes=16)
    cache.put({"a": row(1, 2)})
    cache.put({"a": row(1, 2)})
    cache.put({"b": row(3, 4)})
    assert cache.get("a") is not None

    cache.put({"c": row(5, 6)})

    assert cache.get("b") is None
    assert cache.get("c").tolist() == [5, 6]


def test_a_row_larger_than_the_memory_is_not_held():
    cache = EmbeddingCache(max_bytes=4)
    cache.put({"a": row(1, 2)})

    assert cache.get("a") is None


def test_hits_and_misses_are_counted():
    cache = EmbeddingCache()
    cache.get("a")
    cache.put({"a": row(1)})
    cache.get("a")
    cache.get("a")

    assert (cache.hits, cache.misses) == (2, 1)


def test_a_cleared_cache_knows_only_what_is_stored():
    cache = EmbeddingCache()
    cache.put({"a": row(1)})

    cache.clear()

    assert cache.get("a") is None


def test_keys_differ_when_any_part_does():
    assert row_key("a", "b") == row_key("a", "b")
    assert len({row_key("a", "b"), row_key("ab", ""), row_key("a", "b", ""), row_key(("a", "b"))}) == 4


# encoders


def test_an_encoder_is_built_once_for_the_same_files_and_options(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    cache, built = EncoderCache(), []

    def build():
        built.append(1)
        return object()

    first = cache.get([file], ("cpu",), build)

    assert cache.get([file], ("cpu",), build) is first
    assert cache.get([file], ("cuda",), build) is not first
    assert len(built) == 2


def test_an_encoder_is_built_anew_when_its_file_changed(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    cache = EncoderCache()
    first = cache.get([file], (), object)
    os.utime(file, ns=(1, 1))

    assert cache.get([file], (), object) is not first


def test_only_a_few_encoders_are_held(tmp_path):
    cache = EncoderCache(max_encoders=2)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(b"x")
    first = cache.get([files[0]], (), object)
    for file in files[1:]:
        cache.get([file], (), object)

    assert cache.get([files[0]], (), object) is not first


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: it is gone"):
        file_identity(tmp_path / "gone.safetensors")


# the folder on disk

on_posix = pytest.mark.skipif(os.name == "nt", reason="paths of another system are not absolute here")


@pytest.mark.parametrize("word", ["off", "OFF", "0", "none", " None "])
def test_nothing_is_kept_if_the_variable_says_so(word):
    assert default_cache_folder({"CLIP_GRID_CACHE": word}) is None


def test_the_variable_names_the_folder_itself(tmp_path):
    assert default_cache_folder({"CLIP_GRID_CACHE": str(tmp_path / "é")}) == tmp_path / "é"


def test_the_variable_knows_the_home_and_the_current_folder():
    assert default_cache_folder({"CLIP_GRID_CACHE": "~/kept"}) == Path.home() / "kept"
    assert default_cache_folder({"CLIP_GRID_CACHE": "kept"}) == Path.cwd() / "kept"


@on_posix
@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/clip-grid/embeddings"),
        ("linux", {"XDG_CACHE_HOME": "/c", "CLIP_GRID_CACHE": ""}, "/c/clip-grid/embeddings"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "~/.cache/clip-grid/embeddings"),
        ("linux", {}, "~/.cache/clip-grid/embeddings"),
        ("freebsd14", {}, "~/.cache/clip-grid/embeddings"),
        ("darwin", {"XDG_CACHE_HOME": "/c"}, "~/Library/Caches/clip-grid/embeddings"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/clip-grid/embeddings"),
        ("win32", {}, "~/AppData/Local/clip-grid/embeddings"),
    ],
)
def test_each_platform_has_its_own_place(platform, environment, expected):
    assert default_cache_folder(environment, platform=platform) == Path(expected).expanduser()


def test_no_folder_is_made(tmp_path):
    default_cache_folder({"CLIP_GRID_CACHE": str(tmp_path / "new")})

    assert not (tmp_path / "new").exists()


def test_tests_keep_nothing_in_the_cache_of_who_runs_them():
    assert default_cache_folder() is None


# how much of it


def test_the_size_of_the_cache_is_given_or_in_the_variable_or_four_gigabytes():
    assert cache_bytes(None, {}) == cache_bytes(None, {"CLIP_GRID_CACHE_SIZE": " "}) == 4_000_000_000
    assert cache_bytes(None, {"CLIP_GRID_CACHE_SIZE": " 0.5 "}) == 500_000_000
    assert cache_bytes(2, {"CLIP_GRID_CACHE_SIZE": "0.5"}) == 2_000_000_000


@pytest.mark.parametrize("word", ["off", "-1", "0", "4 GB", "nan", "inf"])
def test_a_variable_that_holds_no_size_is_named(word):
    with pytest.raises(InputError, match=r"^CLIP_GRID_CACHE_SIZE is .*; give the size in GB, a number above 0 such as"):
        cache_bytes(None, {"CLIP_GRID_CACHE_SIZE": word})
