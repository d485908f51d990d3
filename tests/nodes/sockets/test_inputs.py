"""Tests: what the values of inputs mean, and a socket that takes every output."""

from __future__ import annotations

import json
import operator

import pytest
from clip_grid.nodes.sockets.inputs import AnyType, label_texts, metadata_text


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (["a\nb\nc"], ["a", "b", "c"]),
        (["a\r\nb\n"], ["a", "b"]),
        (["a\n\nc"], ["a", "", "c"]),
        (["one for all"], ["one for all"]),
        ([""], []),
        ([None], []),
        (["a", "b\nc"], ["a", "b\nc"]),
        ([["a", "b"]], ["a", "b"]),
        ([7], ["7"]),
        ([7.0, 0.30000000000000004, 1e-05], ["7", "0.3", "1e-05"]),
        ([18446744073709551615, 1], ["18446744073709551615", "1"]),
        ([True], ["True"]),
    ],
)
def test_labels_are_lines_of_one_text_or_one_per_value(value, labels):
    assert label_texts({"labels": value}) == labels


def test_several_linked_metadata_texts_become_one_list():
    assert metadata_text({"metadata": ['{"seed": 1}', '{"seed": 2}']}) == '[{"seed": 1}, {"seed": 2}]'
    assert metadata_text({"metadata": ["seed\n1"]}) == "seed\n1"
    assert metadata_text({}) == ""


def test_the_any_type_lets_every_output_be_linked():
    anything = AnyType("*")

    assert not any(operator.ne(received, anything) for received in ("INT", "STRING", ["a", "b"]))
    assert json.dumps(anything) == '"*"'
