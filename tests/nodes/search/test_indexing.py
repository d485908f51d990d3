"""Tests: an update runs in a thread of its own, pauses for workflows, and can be stopped."""

from __future__ import annotations

import time

import pytest
from clip_grid.clip_backend.search.update import IndexUpdate
from clip_grid.errors import OutputError
from clip_grid.nodes.search.indexing import Indexing


class Update:
    """Stands for ``index_images``: reads ``total`` pictures, one for each time that it may go on."""

    def __init__(self, total=3):
        self.total = total
        self.runs = []
        self.read = 0
        self.during = lambda done: None

    def __call__(self, folders, *, index, model, progress, wait):
        self.runs.append((folders, index))
        for done in range(1, self.total + 1):
            wait()
            self.read += 1
            self.during(done)
            progress(done, self.total)
        return IndexUpdate(found=self.total, computed=self.total)


def until(condition, seconds=10):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.fixture
def update():
    return Update()


@pytest.fixture
def indexing(host, update):
    pytest.importorskip("torch")
    return Indexing(host, update)


def test_an_update_reads_output_and_input_and_says_what_it_did(indexing, update, host):
    assert indexing.now.state == "idle"

    assert indexing.start()
    indexing.join(10)

    assert update.runs == [([host.folders.output, host.folders.input], host.index_folder)]
    assert (indexing.now.state, indexing.now.ended, indexing.now.error) == ("idle", 1, "")
    assert indexing.now.to_dict()["result"]["computed"] == 3


def test_it_pauses_while_a_workflow_runs_and_then_goes_on(indexing, update, host):
    update.during = lambda done: setattr(host, "is_busy", True) if done == 2 else None

    indexing.start()
    until(lambda: indexing.now.state == "paused")
    read, state = update.read, indexing.now
    host.is_busy = False
    indexing.join(10)

    assert (read, state.done, state.total) == (2, 2, 3)
    assert (update.read, indexing.now.result.computed) == (3, 3)


def test_nothing_is_read_while_a_workflow_runs_already(indexing, update, host):
    host.is_busy = True

    indexing.start()
    until(lambda: indexing.now.state == "paused")

    assert update.runs == []
    indexing.stop()
    indexing.join(10)
    assert (indexing.now.state, indexing.now.error, update.runs) == ("idle", "", [])


def test_stopping_ends_it_before_the_next_picture(indexing, update):
    update.during = lambda done: indexing.stop()

    indexing.start()
    indexing.join(10)

    assert (update.read, indexing.now.state, indexing.now.result) == (1, "idle", None)


def test_a_start_during_an_update_makes_another_one_follow(indexing, update):
    update.during = lambda done: indexing.start() if len(update.runs) == 1 else None

    indexing.start()
    indexing.join(10)

    assert (len(update.runs), indexing.now.ended) == (2, 2)


def test_a_failure_is_told_and_the_next_update_starts_afresh(indexing, update):
    def fail(done):
        raise OutputError("the disk is full; free some space")

    update.during = fail
    indexing.start()
    indexing.join(10)
    failed = indexing.now
    update.during = lambda done: None
    indexing.start()
    indexing.join(10)

    assert (failed.error, failed.result) == ("the disk is full; free some space", None)
    assert (indexing.now.error, indexing.now.ended) == ("", 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_after_an_error_of_the_program_another_update_can_be_started(indexing, update):
    update.during = lambda done: 1 / 0
    indexing.start()
    indexing.join(10)
    failed = indexing.now
    update.during = lambda done: None

    assert "error of the program" in failed.error
    assert indexing.start()
    indexing.join(10)
    assert indexing.now.error == ""


def test_who_holds_it_writes_alone_and_a_start_meanwhile_follows(indexing, update):
    with indexing.held(lambda: None) as show:
        show(1, 4)
        during = indexing.now
        assert not indexing.start()
        runs = list(update.runs)
    indexing.join(10)

    assert (during.state, during.done, during.total, runs) == ("running", 1, 4, [])
    assert (len(update.runs), indexing.now.state, indexing.now.ended) == (1, "idle", 2)


def test_without_an_update_before_it_none_follows_it(indexing, update):
    with indexing.held(lambda: None):
        pass

    assert (update.runs, indexing.now.state, indexing.now.ended) == ([], "idle", 1)


def test_an_interrupt_while_an_update_ends_keeps_the_block_from_beginning(indexing, update):
    update.during = lambda done: time.sleep(0.3)
    indexing.start()

    with pytest.raises(KeyError), indexing.held(lambda: {}["interrupted"]):
        raise AssertionError
    indexing.join(10)

    assert indexing.now.state == "idle" and indexing.start()
    indexing.join(10)
