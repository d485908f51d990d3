"""Which text each picture gets where no two may have the same."""

from __future__ import annotations

from clip_grid.clip_backend.labelling.distinctive import Cell, Choice, choose_unique
from hypothesis import given
from hypothesis import strategies as st


def cell(*texts, probability=0.5, content=None):
    best, *others = (Choice(text=text, labels=(), probability=probability) for text in texts)
    return Cell(best=best, others=iter(others), content=(content or repr(texts)).encode())


def texts_of(*cells):
    return [text for _, text in choose_unique(cells)]


def test_texts_that_differ_stay_as_they_are():
    assert texts_of(cell("cat"), cell("dog")) == ["cat", "dog"]


def test_no_cells_have_no_texts():
    assert texts_of() == []


def test_the_more_probable_cell_keeps_its_best_text_and_the_other_takes_its_next():
    assert texts_of(cell("cat", "calm"), cell("cat", "sea", probability=0.9)) == ["calm", "cat"]


def test_numbers_follow_the_order_of_the_cells_where_nothing_else_is_left():
    cells = [cell("cat", content="1"), cell("dog"), cell("cat", content="2", probability=0.9), cell("cat", content="3")]

    assert texts_of(*cells) == ["cat", "dog", "cat 2", "cat 3"]


def test_equal_pictures_share_their_text_and_get_numbers():
    same = [cell("cat", "calm", "sea", content="same") for _ in range(3)]

    assert texts_of(*same) == ["cat", "cat 2", "cat 3"]


def test_a_number_never_makes_a_text_that_another_cell_has():
    assert texts_of(cell("cat", content="1"), cell("cat", content="2"), cell("cat 2")) == ["cat", "cat 3", "cat 2"]


def test_a_cell_that_takes_another_text_has_its_choice():
    first, second = cell("cat", "calm"), cell("cat", "sea", probability=0.9)

    assert [(choice.text, text) for choice, text in choose_unique([first, second])] == [
        ("calm", "calm"),
        ("cat", "cat"),
    ]


NAMES = st.sampled_from(["cat", "dog", "cat 2", "sea"])


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.integers(0, 3), NAMES), max_size=12))
def test_no_two_cells_have_one_text(given_cells):
    found = texts_of(*(cell(*texts, probability=sure, content=content) for texts, sure, content in given_cells))

    assert len(set(found)) == len(found)
