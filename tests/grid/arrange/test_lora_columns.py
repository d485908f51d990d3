"""Promises of LoRAs as axes: names one way, weights the other."""

from __future__ import annotations

from itertools import product

from clip_grid.grid.arrange.axes import Axis, find_axes
from clip_grid.grid.arrange.lora_columns import find_axes_with_loras, lora_columns


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


def tagged(prompt: str, weight: str, **values: str) -> dict[str, str]:
    return {"prompt": f"{prompt} <lora:detail:{weight}>", "loras": f"detail:{weight}", **values}


def test_a_prompt_is_the_same_whatever_loras_its_tags_name() -> None:
    axes, columns = find_axes_with_loras(
        [tagged("a knight", weight, model=model) for model, weight in product("ab", ("0.4", "0.8", "1.2"))]
    )

    assert axes.x == Axis("loras", ("detail:0.4", "detail:0.8", "detail:1.2"))
    assert axes.y == Axis("model", ("a", "b"))
    assert axes.constant == {"prompt": "a knight"}
    assert axes.varying == ()
    assert columns == []


def test_prompts_and_weights_make_a_table_of_prompts_without_tags() -> None:
    axes, columns = find_axes_with_loras(
        [tagged(prompt, weight) for prompt, weight in product(("a cat", "a dog"), ("0.4", "0.8", "1.2"))]
    )

    assert axes.x == Axis("loras", ("detail:0.4", "detail:0.8", "detail:1.2"))
    assert axes.y == Axis("prompt", ("a cat", "a dog"))
    assert columns[0] == {"prompt": "a cat"}


def test_prompts_that_are_asked_for_keep_their_tags() -> None:
    axes, columns = find_axes_with_loras([tagged("a cat", weight) for weight in ("0.4", "0.8")], x="Prompt", y="none")

    assert axes.x == Axis("prompt", ("a cat <lora:detail:0.4>", "a cat <lora:detail:0.8>"))
    assert columns == []


def test_a_tag_within_a_prompt_leaves_no_gap() -> None:
    axes, _ = find_axes_with_loras(
        [
            {"prompt": "a cat, <lora:a:1>, on a  mat", "loras": "a:1", "cfg": "7"},
            {"prompt": "a cat, on a mat", "cfg": "7"},
            {"prompt": "<lyco:b:1:1>a cat, on a mat,", "loras": "b:1", "cfg": "7"},
        ]
    )

    assert axes.constant["prompt"] == "a cat, on a mat"
