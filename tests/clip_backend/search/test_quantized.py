from __future__ import annotations

import errno
import shutil
import sys

import numpy as np
import pytest
from clip_grid.clip_backend.search import quantized
from clip_grid.clip_backend.search.purge import purge
from clip_grid.clip_backend.search.quantized import moments_file, quantized_file, read_quantized
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.clip_backend.search.tree import Changes
from clip_grid.clip_backend.search.vectors import HEADER_BYTES, read_vectors, vector_file
from clip_grid.clip_backend.search.writer import IndexWriter

from .filled import SPACE, Index, Made, fill
from .int8_parts import BLOCK, clip_like, small_blocks, texts_like

__all__ = ["small_blocks"]
pytestmark = pytest.mark.usefixtures("small_blocks")
DIM = 24


def pictures(start, stop):
    vectors = clip_like(600, DIM, seed=3, with_zeros=False)
    return [Made(f"{place}.png", vectors[place]) for place in range(start, stop)]


@pytest.fixture
def folder(tmp_path):
    """An index of 150 pictures: two blocks and 22 rows."""
    return fill(tmp_path / "index", pictures(0, 150))


def count(folder):
    """How many rows a reader finds in int8."""
    with Index.open(folder) as index:
        found = index.state().quantized
        return found.count if found else 0


def hits(folder):
    with Index.open(folder) as index:
        query = Query(parts=[Part(kind="text", name="a", vector=texts_like(1, DIM)[0])], top=20)
        return [(hit.picture.id, round(hit.score, 5)) for hit in search(index, query).hits]


def files(folder, generation=1):
    path = vector_file(folder, generation)
    return quantized_file(path), moments_file(path)


def spoil(path, place):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 0xFF]))


def test_rows_say_how_much_they_lost(folder):
    with Index.open(folder) as index:
        state = index.state()
    found = state.quantized
    assert found is not None
    for number, block in enumerate(found.blocks):
        own = state.vectors[number * BLOCK : (number + 1) * BLOCK].astype(np.float64)
        back = block["rows"] * block["scales"].astype(np.float64)[:, None]
        lost = np.linalg.norm(own - found.mean - back, axis=1)
        assert (lost <= block["errors"]).all()
        assert (lost >= 0.99 * block["errors"] - 2e-6).all()
        assert (np.linalg.norm(back, axis=1) <= block["norms"]).all()
        assert (np.abs(block["rows"]).max(axis=1) == 127).all()
    own = state.vectors[: found.count].astype(np.float64) - found.mean
    np.testing.assert_allclose(found.total, own.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.products, own.T @ own, atol=1e-5)


def test_it_grows_by_blocks_and_is_not_written_over(folder):
    before = files(folder)[0].read_bytes()
    fill(folder, pictures(150, 190))
    assert files(folder)[0].read_bytes() == before

    fill(folder, pictures(190, 400))

    after = files(folder)[0].read_bytes()
    assert after.startswith(before)
    assert count(folder) == 6 * BLOCK


def test_a_reader_sees_what_is_added_and_checks_that_alone(folder, monkeypatch):
    with Index.open(folder) as index:
        assert index.state().quantized.count == 2 * BLOCK
        fill(folder, pictures(150, 330))
        checked = []
        right = quantized._checksum
        monkeypatch.setattr(
            quantized, "_checksum", lambda block, number: checked.append(number) or right(block, number)
        )
        assert index.state().quantized.count == 5 * BLOCK
    assert checked == [2, 3, 4]


def remove_int8(folder):
    files(folder)[0].unlink()


def remove_moments(folder):
    files(folder)[1].unlink()


def tear(folder):
    with open(files(folder)[0], "r+b") as file:
        file.truncate(files(folder)[0].stat().st_size - 1)


def empty(folder):
    for path in files(folder):
        path.write_bytes(b"")


def spoil_header(folder):
    spoil(files(folder)[0], 3)


def spoil_row(folder):
    spoil(files(folder)[0], 4096 + 5 * DIM)


def spoil_scale(folder):
    spoil(files(folder)[0], 4096 + BLOCK * DIM + 5)


def spoil_moments(folder):
    spoil(files(folder)[1], 100)


def take_those_of_others(folder):
    others = fill(folder.parent / "others", [Made(one.path, one.vector[::-1]) for one in pictures(0, 150)])
    for own, other in zip(files(folder), files(others), strict=True):
        shutil.copy(other, own)


def take_those_of_fewer_numbers(folder):
    others = fill(folder.parent / "others", [Made(one.path, one.vector[:8]) for one in pictures(0, 150)])
    for own, other in zip(files(folder), files(others), strict=True):
        shutil.copy(other, own)


def mix_with_an_older_one(folder):
    old = files(folder)[1].read_bytes()
    fill(folder, pictures(150, 200))
    files(folder)[1].write_bytes(old)
    tear(folder)
    spoil_row(folder)


SPOILED = [
    remove_int8, remove_moments, tear, empty, spoil_header, spoil_row, spoil_scale, spoil_moments, take_those_of_others,
    take_those_of_fewer_numbers, mix_with_an_older_one,
]  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_what_does_not_fit_is_left_unread_and_made_anew(folder, how):
    how(folder)
    right = [id for id, _ in hits(folder)]
    assert count(folder) == 0

    with IndexWriter(folder) as writer:
        rows = writer.vectors.rows

    assert count(folder) == rows // BLOCK * BLOCK
    assert [id for id, _ in hits(folder)] == right


def test_blocks_whose_process_was_ended_before_it_named_them_are_made_again(folder):
    named = files(folder)[1].read_bytes()
    fill(folder, pictures(150, 260))
    files(folder)[1].write_bytes(named)
    tear(folder)
    assert count(folder) == 2 * BLOCK

    with IndexWriter(folder):
        pass

    assert count(folder) == 4 * BLOCK


def test_vectors_that_lost_their_end_take_it_with_them(folder):
    with open(vector_file(folder, 1), "r+b") as file:
        file.truncate(HEADER_BYTES + 70 * DIM * 4)

    with IndexWriter(folder) as writer:
        assert writer.vectors.rows == 70

    assert count(folder) == BLOCK


def test_it_belongs_to_one_embedding_space(folder):
    vectors = read_vectors(vector_file(folder, 1), DIM, SPACE, 150)
    assert read_quantized(vector_file(folder, 1), SPACE, vectors) is not None
    assert read_quantized(vector_file(folder, 1), "another space", vectors) is None


def test_blocks_of_another_size_are_read_and_made_anew_by_the_writer(folder, monkeypatch):
    monkeypatch.setattr(quantized, "ROWS", 50)
    assert count(folder) == 2 * BLOCK
    with IndexWriter(folder):
        pass
    assert count(folder) == 150


def test_an_index_without_holes_has_it_again_after_a_purge(folder):
    with IndexWriter(folder) as writer:
        ids = [id for (id,) in writer.connection.execute("SELECT id FROM files ORDER BY id LIMIT 70")]
        writer.keep_changes(1, Changes(device="1", gone=ids))
        writer.connection.execute("UPDATE files SET missing = 1 WHERE missing IS NOT NULL")
        assert purge(writer) == 70

    assert not any(path.exists() for path in files(folder))
    assert count(folder) == BLOCK


def test_an_index_is_written_where_it_cannot_be(tmp_path, caplog):
    folder = tmp_path / "index"
    folder.mkdir()
    quantized_file(vector_file(folder, 1)).mkdir()

    fill(folder, pictures(0, 100))
    fill(folder, pictures(100, 150))

    assert "searches are slower without it" in caplog.text
    assert len(hits(folder)) == 20
    assert count(folder) == 0


def test_a_full_disk_costs_only_the_int8_rows(folder, caplog, monkeypatch):
    right = quantized._add_block
    blocks = []

    def full_at_the_second(*args):
        blocks.append(args)
        if len(blocks) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return right(*args)

    monkeypatch.setattr(quantized, "_add_block", full_at_the_second)
    fill(folder, pictures(150, 400))
    monkeypatch.undo()

    assert "No space left on device" in caplog.text
    assert len(hits(folder)) == 20
    with Index.open(folder) as index:
        assert index.state().count == 400
    monkeypatch.setattr(quantized, "ROWS", BLOCK)
    with IndexWriter(folder):
        pass
    assert files(folder)[1].stat().st_size > 0
    with Index.open(folder) as index:
        state = index.state()
        found = read_quantized(vector_file(folder, 1), SPACE, state.vectors)
        assert found is not None
        assert found.count == 6 * BLOCK


def test_without_numkong_that_runs_it_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("clip_grid.clip_backend.search.index.is_usable", quantized.is_usable)
    # what Python remembers of a package that cannot be imported
    monkeypatch.setitem(sys.modules, "numkong", None)
    assert count(folder) == 0
    assert len(hits(folder)) == 20


def test_few_pictures_have_none(tmp_path):
    folder = fill(tmp_path / "index", pictures(0, BLOCK - 1))
    assert not any(path.exists() for path in files(folder))
