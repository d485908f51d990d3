from __future__ import annotations

import os
from pathlib import Path

import pytest
from clip_grid.clip_backend.encoding.cache import default_cache_folder

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
