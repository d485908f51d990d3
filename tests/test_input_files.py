"""Tests: a pipe, a socket or a device that is given as a file is refused at once, and so is a file without end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from clip_grid.clip_backend.calibration.calibration import read_calibration
from clip_grid.clip_backend.match_files.pairs_file import read_pairs
from clip_grid.clip_backend.words.files import read_vocabulary
from clip_grid.errors import InputError
from clip_grid.grid.table.table import read_table
from clip_grid.grid.template import read_template
from clip_grid.input_files import open_file, read_file

READERS = (read_calibration, read_pairs, read_vocabulary, read_table, read_template)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files in folders")


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, read):
    pipe, link = tmp_path / "pipe.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    for path, kind in ((pipe, "a pipe"), (link, "a device"), (Path(tmp_path), "a folder")):
        named = path if path.suffix else path.rename(path.with_suffix(".csv"))
        with pytest.raises(InputError, match=f"cannot be read: it is {kind}, not a file; give a file"):
            read(named)


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.csv")
        with pytest.raises(InputError, match="it is a socket"):
            read_file(Path("a.csv"), "the table")


def test_a_file_that_is_larger_than_the_limit_is_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(bytes(2 << 20))

    assert len(read_file(file, "the table", most_bytes=2 << 20)) == 2 << 20
    with pytest.raises(InputError, match=r"a\.csv is larger than 1 MiB"):
        read_file(file, "the table", most_bytes=1 << 20)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a" * 300])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(InputError, match="cannot be read") as error:
        read_file(Path(name), "the table")
    assert str(error.value).isprintable()


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("clip_grid.input_files.check_file", lambda path: None)

    with pytest.raises(InputError, match="it is a pipe"):
        open_file(tmp_path / "pipe")
