from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.atomic import (
    atomic_file,
    file_set,
    fitting_name,
    output_error,
    record_written,
    the_only_run,
    unfinished,
    unlisted,
    written_files,
)
from clip_grid.errors import ClipGridError, InputError, LimitError, OutputError

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


def test_files_that_serve_the_next_run_alone_are_not_named_as_output(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_written", None)
    record_written()

    with unlisted():
        write(tmp_path / "cache.npy")
    write(tmp_path / "a.png")

    assert written_files() == [tmp_path / "a.png"]


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
        with pytest.raises(OutputError, match="its folder is a file"):
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


# --- sets of files


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_the_files_of_a_set_appear_together_and_others_vanish_with_them(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "stale").write_bytes(b"old")

    with file_set(tmp_path) as files:
        for name in ("a", "b"):
            with files.open(tmp_path / name) as file:
                file.write(b"new")
        files.remove(tmp_path / "stale")
        assert [(tmp_path / name).read_bytes() for name in ("a", "stale")] == [b"old", b"old"]
        assert not (tmp_path / "b").exists()

    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"new"


def test_a_file_of_a_set_that_cannot_be_renamed_leaves_all_older_ones(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    with pytest.raises(OutputError, match="c is a folder"), file_set(tmp_path) as files:
        for name in ("a", "b", "c"):
            with files.open(tmp_path / name) as file:
                file.write(b"new")
        (tmp_path / "c").mkdir()

    assert names(tmp_path) == ["a", "c"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_interrupt_between_two_renamings_waits_for_the_last(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(*paths: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        replace(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    # a shell that starts the tests in the background lets them ignore interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), file_set(tmp_path) as files:
            for name in ("a", "b"):
                with files.open(tmp_path / name) as file:
                    file.write(b"new")

        assert names(tmp_path) == ["a", "b"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


KILLED = """
import importlib.util, os, signal, sys
from pathlib import Path
root = {root!r}
spec = importlib.util.spec_from_file_location("clip_grid", root + "/__init__.py", submodule_search_locations=[root])
sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from clip_grid.atomic import file_set
folder = Path({folder!r})
with file_set(folder) as files:
    assert files.take_names([folder / "taken"])
    with files.open(folder / "a") as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_the_next_set_in_the_folder_removes_what_a_killed_process_left(tmp_path):
    root = str(Path(__file__).resolve().parent.parent)
    subprocess.run([sys.executable, "-c", KILLED.format(root=root, folder=str(tmp_path))], check=False)
    assert len(names(tmp_path)) == 3

    with file_set(tmp_path) as files:
        assert files.take_names([tmp_path / "taken"])

    assert names(tmp_path) == []


def test_a_name_goes_to_one_set_alone_and_is_free_again_if_nothing_was_written(tmp_path):
    path = tmp_path / "a"

    with file_set(tmp_path) as first:
        assert first.take_names([path])
        with file_set(tmp_path) as second:
            assert not second.take_names([tmp_path / "b", path])
            # nothing is kept of what could not be taken whole
            with file_set(tmp_path) as third:
                assert third.take_names([tmp_path / "b"])
    with file_set(tmp_path) as files:
        assert files.take_names([path])
        with files.open(path) as file:
            file.write(b"new")

    with file_set(tmp_path) as files:
        assert not files.take_names([path])
    assert names(tmp_path) == ["a"]


def test_a_taken_name_never_replaces_what_another_program_made_meanwhile(tmp_path):
    path = tmp_path / "a"

    with (
        pytest.raises(OutputError, match="another program has just made it; choose another name"),
        file_set(tmp_path) as files,
    ):
        assert files.take_names([path])
        with files.open(path) as file:
            file.write(b"ours")
        path.write_bytes(b"theirs")

    assert (names(tmp_path), path.read_bytes()) == (["a"], b"theirs")


def test_only_one_run_at_a_time_may_write_a_file(tmp_path):
    with the_only_run(tmp_path / "a.csv"):
        with pytest.raises(OutputError, match=r"another run is writing .*a\.csv; wait until it is done"):
            the_only_run(tmp_path / "a.csv").__enter__()
        with the_only_run(tmp_path / "b.csv"):
            pass
    with the_only_run(tmp_path / "a.csv"):
        pass

    assert names(tmp_path) == []


# --- what no file may replace


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")
def test_devices_pipes_and_sockets_are_refused_at_once(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        # the longest name of a socket is short
        monkeypatch.chdir(tmp_path)
        server.bind("socket")
        for name, kind in (("pipe", "pipe"), ("zero", "device"), ("socket", "socket")):
            with pytest.raises(OutputError, match=f"{name} is a {kind} and no file; choose another name"):
                write(tmp_path / name)

    assert names(tmp_path) == ["pipe", "socket", "zero"]


# --- who is to blame


def test_a_file_that_another_program_has_open_is_not_a_matter_of_permission():
    class SharingViolation(PermissionError):
        winerror = 32

    message = str(output_error(Path("a.png"), SharingViolation(errno.EACCES, "Permission denied")))

    assert message == "a.png cannot be written: another program has it open; close it there, or choose another name"


def test_a_source_that_vanished_is_named_and_not_the_target(tmp_path):
    source = tmp_path / "source.png"

    with pytest.raises(InputError) as raised, atomic_file(tmp_path / "a.png"):
        source.open("rb")

    assert str(raised.value) == (
        f"{source} cannot be read: No such file or directory; check the path and its permissions"
    )


def test_a_message_is_not_said_twice(tmp_path):
    with pytest.raises(OutputError) as raised, atomic_file(tmp_path / "a.png"), atomic_file(tmp_path / "b.png"):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert str(raised.value).count("cannot be written") == 1


@pytest.mark.parametrize("letter", ["a", "é", "日", "👩", "\udcff"])
def test_a_name_that_is_made_of_a_long_one_fits_and_is_its_own(letter):
    stem = letter * 300

    names = {fitting_name(stem[:length], ending) for length in range(50, 300) for ending in ("-2.png", "-10.png")}

    assert len(names) == 500
    for name in names:
        assert len(name.encode("utf-8", "surrogatepass")) <= 255
        assert name.endswith(("-2.png", "-10.png"))
        assert set(re.split(r"~[0-9a-f]{8}|-", name)[0]) == {letter}
    assert fitting_name("a" * 251, ".png") == "a" * 251 + ".png"
    assert len(fitting_name("a", "." + "b" * 400)) == 255
    assert fitting_name(stem, ".png") == fitting_name(stem, ".png")


def test_an_error_shows_the_beginning_of_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OutputError) as error:
        write(tmp_path / ("b" * 400))

    assert f"{tmp_path}/{'b' * 80}… cannot be written: the name is too long; choose a shorter one" in str(error.value)
