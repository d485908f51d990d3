"""Promises of LoRAs as axes: names one way, weights the other."""

from __future__ import annotations

from itertools import product

from clip_grid.grid.arrange.axes import Axis, find_axes
from clip_grid.grid.arrange.lora_columns import lora_columns


def pictures(*loras: str) -> list[dict[str, str]]:
    return [{"loras": text} for text in loras]


def test_epochs_by_weights_are_two_columns_whatever_all_have_in_common() -> None:
    found = lora_columns(
        pictures(*(f"detail:0.5, sks{epoch}:{weight}" for epoch, weight in product(("-02", ""), ("0.4", "1.0"))))
    )

    assert found == [
        {"lora": "sks-02", "lora_weight": "0.4"},
        {"lora": "sks-02", "lora_weight": "1.0"},
        {"lora": "sks", "lora_weight": "0.4"},
        {"lora": "sks", "lora_weight": "1.0"},
    ]


def test_the_two_columns_are_the_axes() -> None:
    found = lora_columns(pictures(*(f"{name}:{weight}" for name, weight in product("abc", ("0.4", "0.6", "0.8", "1")))))
    axes = find_axes(found)

    assert axes.x == Axis("lora_weight", ("0.4", "0.6", "0.8", "1"))
    assert axes.y == Axis("lora", ("a", "b", "c"))


def test_two_loras_that_all_have_are_two_columns_of_weights() -> None:
    found = lora_columns(pictures("ink:0.2, flat:1", "ink:0.2, flat:0.5", "ink:0.4, flat:1", "ink:0.4, flat:0.5"))

    assert found[1] == {"ink weight": "0.2", "flat weight": "0.5"}


def test_a_picture_without_a_lora_is_headed_none() -> None:
    found = lora_columns([{"loras": "a:0.5"}, {"loras": "b:1"}, {"cfg": "7"}])

    assert found[2] == {"lora": "none", "lora_weight": ""}


def test_one_column_that_varies_is_no_gain() -> None:
    assert lora_columns(pictures("a:1", "b:1")) == []
    assert lora_columns(pictures("a:0.5", "a:1")) == []
    assert lora_columns(pictures("a", "b")) == []
    assert lora_columns([{"cfg": "7"}, {}]) == []
    assert lora_columns([]) == []


def test_pictures_with_two_loras_of_their_own_are_left_as_they_are() -> None:
    assert lora_columns(pictures("a:1, b:0.5", "c:0.5, d:1")) == []


def test_columns_of_a_table_with_these_names_are_not_covered() -> None:
    assert lora_columns([{"loras": "a:0.5", "Lora Weight": "x"}, {"loras": "b:1"}]) == []


def test_a_name_with_a_colon_keeps_it() -> None:
    (first, _) = lora_columns(pictures("urn:air:1@2:0.5", "urn:air:3:1"))

    assert first == {"lora": "urn:air:1@2", "lora_weight": "0.5"}
