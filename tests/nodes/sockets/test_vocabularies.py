"""Tests: the vocabulary input of nodes opens no file but those in the allowed folders, however it is written."""

from __future__ import annotations

from itertools import islice, product
from pathlib import Path

import pytest
from clip_grid.clip_backend.words import sources
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.sockets.vocabularies import read_vocabulary_input, vocabulary_file

#: What may stand before a path, the way to a file outside, and what may stand behind it.
BEFORE = ("", "+", " + ", "+\n", "\n+\n\n", "+\r\n", "+\x0b", '"', "+'", "\t+ \u2028")
OUTSIDE = ("{root}/secret.txt", "../secret.csv", "a/../../secret.json", "//server/share/a.txt", r"\\?\UNC\server\b.csv")
AFTER = ("", " ", "\n", '"', " [output]", "'\n")
FUZZED = list(islice(product(BEFORE, OUTSIDE, AFTER), 300))


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    for name, text in (("secret.txt", "swordfish"), ("secret.csv", "swordfish"), ("secret.json", '["swordfish"]')):
        (tmp_path / name).write_text(text)
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "words.txt").write_text("owl\nkiwi")
    return FakeHost(tmp_path)


def test_no_spelling_of_a_path_outside_is_opened(tmp_path, host, monkeypatch):
    opened: list[Path] = []
    read = sources.read_vocabulary
    monkeypatch.setattr(sources, "read_vocabulary", lambda path: opened.append(Path(path)) or read(path))
    sources.default_vocabulary()
    opened.clear()

    for before, outside, after in FUZZED:
        text = f"{before}{outside.format(root=tmp_path)}{after}"
        try:
            words = read_vocabulary_input(text, host)
        except InputError:
            continue
        assert all("swordfish" not in facet.labels for facet in words.facets), repr(text)
    assert len(FUZZED) == 300
    assert opened == []


@pytest.mark.parametrize("text", ["words.txt", " words.txt\n", "+words.txt", "+\nwords.txt [input]", '"words.txt"'])
def test_a_file_in_the_input_folder_is_read_however_it_is_written(host, text):
    words = read_vocabulary_input(text, host)

    assert {"owl", "kiwi"} <= {label for facet in words.facets for label in facet.labels}
    assert vocabulary_file(text, host) == host.folders.find("words.txt")


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".txt", "a/" * 3000 + "a.txt", "\ud800.txt", "a\0.txt", "\udc80" * 200 + ".csv"]
)
def test_a_name_that_no_file_can_have_gives_a_message(host, name):
    for ask in (lambda: read_vocabulary_input(name, host), lambda: host.folders.find_directories(name)):
        with pytest.raises(InputError) as error:
            ask()
        assert len(str(error.value)) < 2500


@pytest.mark.parametrize(
    "name",
    [r"\\server\share\a.csv", "//server/share/a.csv", r"\\?\UNC\server\a.csv", r"\??\UNC\server\a", r"/\server\a"],
)
def test_a_network_path_is_refused_before_it_is_touched(host, name, monkeypatch):
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("the path was looked at")

    for function in ("os.path.realpath", "os.path.exists", "os.stat", "os.path.isdir"):
        monkeypatch.setattr(function, touched)
    for ask in (host.folders.find, host.folders.find_directories, host.folders.check_prefix):
        with pytest.raises(ForbiddenPath):
            ask(name)
        if ask != host.folders.check_prefix:
            with pytest.raises(ForbiddenPath):
                ask(f'"{name}" [output]')
