"""An index follows its folders: what is new is read, what moved is known, what is gone is kept until it is purged."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from clip_grid.clip_backend.search.database import FILE
from clip_grid.clip_backend.search.purge import purge
from clip_grid.clip_backend.search.thumbnails import thumbnail_file
from clip_grid.clip_backend.search.tree import find_changes
from clip_grid.clip_backend.search.update import is_picture_name
from clip_grid.clip_backend.search.vectors import HEADER_BYTES, vector_file
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.errors import InputError, OutputError

from .counting_encoder import DIM, CountingEncoder
from .folders import LONG_AGO, check_whole, draw, query, stored, update


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [draw(tmp_path / "out" / folder / f"{n}.png", n) for n, folder in enumerate(["", "", "a", "a", "a/b"])]


def test_every_picture_is_stored_with_the_vector_of_its_content(index, pictures, tmp_path):
    done = update(index, [tmp_path / "out"])

    assert (done.found, done.computed, done.failed) == (5, 5, ())
    check_whole(index, pictures)
    assert query(index, "SELECT width, height, has_thumbnail FROM pictures") == [(16, 12, 1)] * 5
    assert sorted(query(index, "SELECT text, number FROM properties WHERE name = 'seed'")) == [
        (str(n), float(n)) for n in range(5)
    ]


def test_an_unchanged_tree_is_known_without_opening_a_file(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    encoder = CountingEncoder()

    done = update(index, [], encoder)

    assert (done.unchanged, done.computed, encoder.opened) == (5, 0, [])


def test_a_changed_file_alone_is_read_again(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    draw(pictures[3], 99, LONG_AGO + 5)
    encoder = CountingEncoder()

    done = update(index, [], encoder)

    assert encoder.opened == [pictures[3]] and done.computed == 1
    check_whole(index, pictures)


def test_renamed_and_moved_files_keep_their_vectors_without_being_read(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    (tmp_path / "out" / "a").rename(tmp_path / "out" / "z")
    pictures[0].rename(tmp_path / "out" / "other.png")
    encoder = CountingEncoder()

    done = update(index, [], encoder)

    assert (done.moved, done.gone, encoder.opened) == (4, 0, [])
    z = tmp_path / "out" / "z"
    check_whole(index, [tmp_path / "out/other.png", pictures[1], z / "2.png", z / "3.png", z / "b" / "4.png"])


def test_files_with_several_links_keep_all_of_them_when_they_move(index, pictures, tmp_path):
    os.link(pictures[2], tmp_path / "out" / "a" / "hard.png")
    os.symlink("3.png", tmp_path / "out" / "a" / "symbolic.png")
    update(index, [tmp_path / "out"])
    (tmp_path / "out" / "a").rename(tmp_path / "out" / "z")
    pictures[0].rename(tmp_path / "out" / "renamed.png")
    os.link(tmp_path / "out" / "renamed.png", tmp_path / "out" / "linked.png")
    encoder = CountingEncoder()

    done = update(index, [], encoder)

    assert (done.moved, done.known, done.gone, encoder.opened) == (6, 1, 0, [])
    check_whole(index, sorted((tmp_path / "out").rglob("*.png")))


def test_a_renamed_root_keeps_everything_without_being_read(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    (tmp_path / "out").rename(tmp_path / "renamed")
    encoder = CountingEncoder()

    done = update(index, [tmp_path / "renamed"], encoder)

    assert (done.moved, encoder.opened) == (5, [])
    check_whole(index, sorted((tmp_path / "renamed").rglob("*.png")))
    # the old root, which is away, goes with the next update of all roots
    assert update(index, []).unchanged == 5


def test_a_root_that_is_away_freezes_its_pictures_and_returns_without_being_read(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    (tmp_path / "out").rename(tmp_path / "unplugged")

    away = update(index, [])

    assert away.away == (str(tmp_path / "out"),) and away.gone == 0
    assert query(index, "SELECT count(*) FROM files WHERE missing IS NULL") == [(5,)]
    (tmp_path / "unplugged").rename(tmp_path / "out")
    encoder = CountingEncoder()
    back = update(index, [], encoder)
    assert (back.unchanged, back.away, encoder.opened) == (5, (), [])


def test_the_empty_folder_where_a_drive_was_mounted_freezes_its_pictures(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    with IndexWriter(index) as writer:
        writer.connection.execute("UPDATE roots SET device = 'the drive'")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()

    assert update(index, []).away == (str(tmp_path / "out"),)
    assert query(index, "SELECT count(*) FROM files WHERE missing IS NOT NULL") == [(0,)]


def test_a_missing_file_is_marked_and_comes_back_without_being_computed(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    pictures[1].rename(tmp_path / "hidden.png")

    assert update(index, []).gone == 1
    assert str(pictures[1]) not in stored(index)
    (tmp_path / "hidden.png").rename(pictures[1])
    encoder = CountingEncoder()
    done = update(index, [], encoder)
    assert (done.back, encoder.opened) == (1, [])
    check_whole(index, pictures)


def test_a_folder_that_cannot_be_listed_keeps_its_pictures(index, pictures, tmp_path, bound_by_permissions):
    update(index, [tmp_path / "out"])
    (tmp_path / "out" / "a").chmod(0)
    try:
        done = update(index, [])
    finally:
        (tmp_path / "out" / "a").chmod(0o755)

    assert done.gone == 0 and [failure.path for failure in done.failed] == [str(tmp_path / "out" / "a")]
    check_whole(index, pictures)


def test_missing_files_are_forgotten_on_request_alone_with_picture_and_thumbnail(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    hashes = dict(query(index, "SELECT name, hash FROM files JOIN pictures ON picture = pictures.id"))
    gone = thumbnail_file(index, hashes[b"1.png"])
    assert gone.is_file()
    pictures[1].unlink()
    update(index, [])

    with IndexWriter(index) as writer:
        assert purge(writer, older_than_s=3600) == 0
        assert purge(writer) == 1

    assert not gone.exists()
    assert query(index, "SELECT count(*) FROM pictures") == query(index, "SELECT count(*) FROM files") == [(4,)]
    assert query(index, "SELECT count(*) FROM prompts WHERE prompts MATCH 'fox'") == [(4,)]


def test_much_that_was_purged_leaves_the_file_of_vectors_too(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    for path in pictures[:2]:
        path.unlink()
    update(index, [])

    with IndexWriter(index) as writer:
        purge(writer)

    assert not vector_file(index, 1).exists()
    assert vector_file(index, 2).stat().st_size == HEADER_BYTES + 3 * DIM * 4
    check_whole(index, pictures[2:])
    encoder = CountingEncoder()
    draw(tmp_path / "out" / "new.png", 50)
    assert update(index, [], encoder).computed == 1
    check_whole(index, [*pictures[2:], tmp_path / "out" / "new.png"])


def test_equal_contents_are_one_picture_with_many_files(index, pictures, tmp_path):
    copy = shutil.copy2(pictures[0], tmp_path / "out" / "copy.png")
    os.link(pictures[1], tmp_path / "out" / "a" / "hard link.png")
    done = update(index, [tmp_path / "out"])

    assert done.computed + done.known == 7
    assert query(index, "SELECT count(*) FROM pictures") == [(5,)]
    check_whole(index, [*pictures, Path(copy), tmp_path / "out" / "a" / "hard link.png"])


def test_a_further_link_to_a_known_file_is_not_read(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    os.link(pictures[1], tmp_path / "out" / "link.png")
    os.symlink(pictures[2], tmp_path / "out" / "symbolic.png")
    encoder = CountingEncoder()

    assert (update(index, [], encoder).known, encoder.opened) == (2, [])
    check_whole(index, [*pictures, tmp_path / "out" / "link.png", tmp_path / "out" / "symbolic.png"])


def test_a_folder_inside_a_root_adds_no_root_and_updates_itself_alone(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    for place in ("new.png", "a/new.png"):
        draw(tmp_path / "out" / place, 60)

    assert update(index, [tmp_path / "out" / "a"]).found == 4
    assert query(index, "SELECT count(*) FROM roots") == [(1,)]
    check_whole(index, [*pictures, tmp_path / "out" / "a" / "new.png"])


@pytest.mark.parametrize("place", ["nowhere", "1.png"])
def test_what_is_no_folder_of_a_root_leaves_the_root_as_it_is(index, pictures, tmp_path, place):
    update(index, [tmp_path / "out"])

    done = update(index, [tmp_path / "out" / place])

    assert done.away == () and [failure.path for failure in done.failed] == [str(tmp_path / "out" / place)]
    assert query(index, "SELECT is_away FROM roots") == [(0,)]
    check_whole(index, pictures)


def test_a_folder_of_a_drive_that_is_unplugged_says_nothing_of_the_drive(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    with IndexWriter(index) as writer:
        writer.connection.execute("UPDATE roots SET device = 'the drive'")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()

    for folders in ([tmp_path / "out" / "a"], []):
        assert update(index, folders).away == (str(tmp_path / "out"),)
    assert query(index, "SELECT count(*) FROM files WHERE missing IS NOT NULL") == [(0,)]


def test_a_root_around_others_takes_them_in(index, pictures, tmp_path):
    update(index, [tmp_path / "out" / "a"])
    encoder = CountingEncoder()

    done = update(index, [tmp_path / "out"], encoder)

    assert (done.unchanged, len(encoder.opened)) == (3, 2)
    assert query(index, "SELECT count(*) FROM roots") == [(1,)]
    check_whole(index, pictures)


def test_one_folder_in_two_roots_is_read_once(index, pictures, tmp_path):
    os.symlink(tmp_path / "out", tmp_path / "again")
    update(index, [tmp_path / "out"])
    encoder = CountingEncoder()

    assert (update(index, [tmp_path / "again"], encoder).known, encoder.opened) == (5, [])
    assert query(index, "SELECT count(*) FROM pictures") == [(5,)]


def test_links_in_circles_end(index, pictures, tmp_path):
    os.symlink(tmp_path / "out", tmp_path / "out" / "a" / "up")

    assert update(index, [tmp_path / "out"]).found == 5


def test_every_file_that_cannot_be_used_has_its_reason_and_costs_itself_alone(index, pictures, tmp_path):
    out = tmp_path / "out"
    (out / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    os.mkfifo(out / "pipe.png")
    os.symlink(tmp_path / "nowhere", out / "dangling.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(out / "socket.png"))
        (out / "folder.png").mkdir()
        done = update(index, [out])

    assert {Path(failure.path).name: failure.stage for failure in done.failed} == {
        "broken.png": "read", "pipe.png": "list", "dangling.png": "list", "socket.png": "list",
    }  # fmt: skip
    assert (
        dict(query(index, "SELECT name, reason FROM files WHERE stage = 'list'"))[b"pipe.png"] == "a pipe, not a file"
    )
    check_whole(index, pictures)


def test_what_failed_is_tried_again_once_it_changes_or_when_asked(index, pictures, tmp_path):
    broken = tmp_path / "out" / "broken.png"
    broken.write_bytes(b"no picture")
    os.utime(broken, (LONG_AGO, LONG_AGO))
    update(index, [tmp_path / "out"])

    encoder = CountingEncoder()
    update(index, [], encoder)
    assert encoder.opened == []
    update(index, [], encoder, retry_failed=True)
    assert encoder.opened == [broken]
    draw(broken, 77, LONG_AGO + 9)
    assert update(index, [], encoder).computed == 1


def test_a_file_that_had_just_changed_is_read_again_at_the_next_update(index, tmp_path):
    path = draw(tmp_path / "out" / "fresh.png", 1)
    os.utime(path)
    state = path.stat()
    update(index, [tmp_path / "out"])
    draw(path, 2)
    # within one tick of the clock of a file system: size and time are those of before
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert path.stat().st_size == state.st_size
    assert update(index, []).computed == 1
    check_whole(index, [path])


def test_a_file_that_changed_between_listing_and_reading_is_read_again_at_the_next_update(index, tmp_path):
    path = draw(tmp_path / "out" / "a.png", 1)

    # another content is read than that of the state which was listed
    update(index, [tmp_path / "out"], wait=lambda: draw(path, 2, LONG_AGO + 5))
    check_whole(index, [path])
    draw(path, 1)

    assert update(index, []).computed == 1
    check_whole(index, [path])
    assert update(index, []).unchanged == 1


def test_names_that_are_no_text_are_kept_as_they_are(index, tmp_path):
    names = [b"new\nline.png", "\U0001f98a.png".encode(), b"\xff\xfe.png", b"n" * 251 + b".png", b"'; DROP TABLE.png"]
    folder = tmp_path / "out"
    for n, name in enumerate(names):
        draw(folder / "plain.png", n)
        os.rename(os.fsencode(folder / "plain.png"), os.path.join(os.fsencode(folder), name))

    assert update(index, [folder]).computed == 5
    assert sorted(os.path.basename(os.fsencode(path)) for path in stored(index)) == sorted(names)


def test_an_index_is_bound_to_its_embedding_space(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    draw(tmp_path / "out" / "new.png", 50)

    with pytest.raises(InputError, match=r"holds embeddings of a test model.*choose that model, or another folder"):
        update(index, [], CountingEncoder(space="another"))


def test_an_index_of_a_newer_version_is_refused(index, pictures, tmp_path):
    update(index, [tmp_path / "out"])
    with IndexWriter(index) as writer:
        writer.connection.execute("PRAGMA user_version = 99")

    with pytest.raises(InputError, match=r"newer CLIP Grid \(version 99.*update CLIP Grid"):
        update(index, [])


def test_a_file_that_is_no_database_is_refused(index, pictures, tmp_path):
    index.mkdir()
    (index / FILE).write_bytes(b"something else" * 1000)

    with pytest.raises(InputError, match="damaged or no index"):
        update(index, [tmp_path / "out"])


def test_a_second_writer_is_told_who_writes(index, pictures, tmp_path):
    with IndexWriter(index), pytest.raises(OutputError, match=f"process {os.getpid()} is updating the index"):
        update(index, [tmp_path / "out"])
    update(index, [tmp_path / "out"])
    check_whole(index, pictures)


def test_a_missing_folder_is_refused(index, tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder"):
        update(index, [tmp_path / "nowhere"])


@pytest.mark.parametrize("lost", [1, DIM * 4 - 1, DIM * 4, DIM * 12, 10**6])
def test_vectors_that_lost_their_end_are_computed_again(index, pictures, tmp_path, lost):
    update(index, [tmp_path / "out"])
    path = vector_file(index, 1)
    os.truncate(path, max(0, path.stat().st_size - lost))
    encoder = CountingEncoder()

    update(index, [], encoder)

    assert len(encoder.opened) == min(5, -(-lost // (DIM * 4)))
    check_whole(index, pictures)


def test_an_update_that_is_ended_in_the_middle_keeps_what_was_done(index, pictures, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        update(index, [tmp_path / "out"], progress=stop)

    assert len(stored(index)) == 3
    encoder = CountingEncoder()
    update(index, [], encoder)
    assert encoder.computed == 2
    check_whole(index, pictures)


def test_many_unchanged_files_cost_no_query_each(index, tmp_path):
    for n in range(300):
        draw(tmp_path / "out" / f"{n % 3}" / f"{n}.png", n)
    update(index, [tmp_path / "out"])
    statements: list[str] = []
    with IndexWriter(index) as writer:
        writer.connection.set_trace_callback(statements.append)
        changes = find_changes(writer.connection, 1, is_picture_name)

    assert changes.unchanged == 300
    assert len(statements) < 20
