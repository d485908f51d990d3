from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest
from clip_grid.atomic import atomic_file, output_error
from clip_grid.errors import ClipGridError, LimitError, OutputError

needs_modes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")


def write(path: Path, content: bytes = b"new") -> None:
    with atomic_file(path) as file:
        file.write(content)


def test_the_file_appears_when_the_block_ends(tmp_path):
    with atomic_file(tmp_path / "a.png") as file:
        file.write(b"whole")
        assert not (tmp_path / "a.png").exists()

    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a.png"]


def test_an_older_file_is_replaced_and_missing_folders_are_made(tmp_path):
    path = tmp_path / "new" / "folders" / "a.png"

    write(path, b"old and longer")
    write(path, b"new")

    assert path.read_bytes() == b"new"


def test_the_file_is_seekable_and_readable_while_it_is_written(tmp_path):
    with atomic_file(tmp_path / "a") as file:
        file.write(b"0123")
        file.seek(1)
        assert file.read(1) == b"1"
        file.write(b"x")

    assert (tmp_path / "a").read_bytes() == b"01x3"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError, LimitError, GeneratorExit])
@pytest.mark.parametrize("older", [b"old", None])
def test_whatever_ends_the_block_early_leaves_the_older_file_and_nothing_else(tmp_path, error, older):
    if older:
        (tmp_path / "a.png").write_bytes(older)

    with pytest.raises(error), atomic_file(tmp_path / "a.png") as file:
        file.write(b"half")
        raise error("stop")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == ([("a.png", older)] if older else [])


def test_a_full_disk_in_the_middle_says_so_and_leaves_nothing(tmp_path):
    message = r"a\.png cannot be written: the disk is full; free some space"
    with pytest.raises(OutputError, match=message), atomic_file(tmp_path / "a.png"):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert os.listdir(tmp_path) == []


def test_our_own_output_error_passes_unchanged(tmp_path):
    with pytest.raises(OutputError, match=r"^mine$"), atomic_file(tmp_path / "a.png"):
        raise OutputError("mine")


def test_a_target_that_is_a_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "a.png").mkdir()

    with pytest.raises(OutputError, match=r"a\.png is a folder; give the name of a file in it"):
        write(tmp_path / "a.png")

    assert os.listdir(tmp_path) == ["a.png"]


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"old")

    for path in (tmp_path / "file" / "a.png", tmp_path / "file" / "deep" / "a.png"):
        with pytest.raises(
            OutputError, match=r"file is no folder, so that nothing can be written into it; choose another"
        ):
            write(path)

    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission to write there; choose another folder"):
            write(tmp_path / "a.png")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b.png"])
def test_a_path_that_names_no_file_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(OutputError, match="does not name a file"):
        write(Path(path))

    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="names are counted in other units there")
@pytest.mark.parametrize("name", ["a" * 255, "日" * 85, "👩" * 63])
def test_any_name_that_the_disk_can_hold_can_be_written(tmp_path, name):
    write(tmp_path / name)

    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="names are counted in other units there")
def test_a_name_that_the_disk_cannot_hold_says_so(tmp_path):
    with pytest.raises(OutputError, match="too long; choose a shorter one"):
        write(tmp_path / ("a" * 256))

    assert os.listdir(tmp_path) == []


@needs_modes
def test_the_file_has_the_permissions_of_any_other_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")

    write(tmp_path / "ours")

    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_file(tmp_path / "a") as first, atomic_file(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")

    assert (tmp_path / "a").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_an_output_error_is_ours_and_an_os_error():
    error = output_error(Path("a.png"), OSError(errno.EROFS, "Read-only file system"))

    assert isinstance(error, ClipGridError) and isinstance(error, OSError)
    assert str(error) == "a.png cannot be written: the folder is read-only; choose another one"
