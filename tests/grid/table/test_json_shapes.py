"""Labels in the JSON of many programs go to the pictures that it names, and to no others."""

from __future__ import annotations

import json

import pytest
from clip_grid.grid.table.matching import match_table
from clip_grid.grid.table.table import parse_table

PICTURES = ["run/a.png", "run/b.png", "run/c.png"]
TEXTS = ("a cat", "a dog", "a fox")


def rows(text: str, paths: list[str] = PICTURES) -> list[dict[str, str] | None]:
    return list(match_table(parse_table(text, name="labels.json"), paths).rows)


def column(text: str, name: str) -> tuple[str | None, ...]:
    return tuple(row.get(name) if row else None for row in rows(text))


# in another order than the pictures everywhere
LABELS = {
    "texts by file": '{"c.png": "a fox", "a.png": "a cat", "b.png": "a dog"}',
    "texts by stem": '{"c": "a fox", "a": "a cat", "b": "a dog"}',
    "texts by path": '{"D:\\\\set\\\\c.png": "a fox", "D:\\\\set\\\\a.png": "a cat", "D:\\\\set\\\\b.png": "a dog"}',
    "texts and objects": '{"c.png": {"label": "a fox"}, "a.png": "a cat", "b.png": ["a dog"]}',
    "one text to a line": '{"c.png": "a fox"}\n{"a.png": "a cat"}\n{"b.png": "a dog"}\n',
    "a list of single texts": '[{"c.png": "a fox"}, {"a.png": "a cat"}, {"b.png": "a dog"}]',
    "pairs": '[["c.png", "a fox"], ["a.png", "a cat"], ["b.png", "a dog"]]',
    "lists under a header": '[["file", "label"], ["c.png", "a fox"], ["a.png", "a cat"], ["b.png", "a dog"]]',
    "texts under a key": '{"version": 1, "captions": {"c.png": "a fox", "a.png": "a cat", "b.png": "a dog"}}',
    "columns by index": '{"file": {"0": "c.png", "1": "a.png", "2": "b.png"}, '
    '"label": {"0": "a fox", "1": "a cat", "2": "a dog"}}',
    "columns and data": '{"columns": ["file", "label"], "index": [0, 1, 2], '
    '"data": [["c.png", "a fox"], ["a.png", "a cat"], ["b.png", "a dog"]]}',
    "any column of file names": '[{"bild": "c.png", "label": "a fox"}, {"bild": "a.png", "label": "a cat"}, '
    '{"bild": "b.png", "label": "a dog"}]',
}
LABELS |= {
    f"rows under {keys}": "".join(f'{{"{key}": ' for key in keys.split("."))
    + '[{"file_name": "c.png", "label": "a fox"}, {"file_name": "a.png", "label": "a cat"}, '
    '{"file_name": "b.png", "label": "a dog"}]' + "}" * len(keys.split("."))
    for keys in ("data", "images", "annotations", "result.data.rows")
}


@pytest.mark.parametrize("text", LABELS.values(), ids=LABELS)
def test_every_common_shape_gives_each_picture_its_own_label(text: str):
    assert column(text, "label") == TEXTS


COCO = {
    "info": {"year": 2017},
    "images": [
        {"id": 7, "file_name": "c.png", "width": 640},
        {"id": 9, "file_name": "a.png"},
        {"id": 8, "file_name": "b.png"},
    ],
    "annotations": [
        {"id": 1, "image_id": 8, "caption": "a dog", "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 7, "caption": "a fox"},
        {"id": 3, "image_id": 9, "caption": "a cat"},
        {"id": 4, "image_id": 8, "caption": "a wet dog"},
        {"id": 5, "image_id": 99, "caption": "nobody's"},
    ],
}


def test_captions_of_coco_are_joined_with_the_pictures_by_number():
    table = parse_table(json.dumps(COCO), name="coco.json")

    assert match_table(table, PICTURES).rows == (
        {"caption": "a cat"},
        {"caption": "a dog; a wet dog"},
        {"caption": "a fox", "width": "640"},
    )
    assert table.notes == ("annotations of pictures that are not in 'images': image_id 99",)


def test_categories_of_coco_are_named():
    annotations = [{"image_id": 9, "category_id": 2, "area": 3.5}, {"image_id": 9, "category_id": 1}]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]

    assert rows(json.dumps(COCO | {"annotations": annotations, "categories": categories}))[0] == {
        "category": "dog; cat"
    }


def test_captions_by_number_alone_go_to_no_picture():
    captions = '[{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "a cat"}]'

    assert rows(captions) == [None, None, None]
    assert rows(captions, ["1.png", "2.png"]) == [{"caption": "a dog"}, {"caption": "a cat"}]


def test_captions_and_tags_of_kohya_are_found_by_path_and_stem():
    text = '{"/train/b": {"caption": "a dog", "train_resolution": [512, 768]}, "/train/a.png": {"tags": "cat, mat"}}'

    assert rows(text) == [{"tags": "cat, mat"}, {"caption": "a dog", "train_resolution": "512, 768"}, None]


def test_several_texts_of_a_picture_are_all_kept():
    assert rows('{"a.png": ["cat", "mat"]}')[0] == {"label": "cat, mat"}
    assert rows('{"a.png": [{"caption": "one", "by": "me"}, {"caption": "two", "by": "me"}]}')[0] == {
        "caption": "one; two",
        "by": "me",
    }


def test_what_stands_beside_the_rows_is_named():
    table = parse_table('{"version": "2", "data": [{"file": "a.png", "seed": 1}], "total": 1}', name="t.json")

    assert table.notes == ("the rows are those under 'data'; left out: 'version', 'total'",)
    assert table.keys == ("a.png",)


def test_rows_that_name_pictures_are_taken_before_others():
    assert rows('{"users": [{"id": 1}], "items": [{"path": "a.png", "seed": 1}]}')[0] == {"seed": "1"}


def test_values_for_all_pictures_stay_values_for_all():
    assert rows('{"model": "sdxl", "a": "x", "steps": 20}')[0] == {"model": "sdxl", "a": "x", "steps": "20"}


def test_objects_in_a_column_are_no_rows():
    text = '{"filename": ["b.png", "a.png"], "loras": [[{"name": "x"}], []]}'

    assert rows(text) == [{}, {"loras": "name: x"}, None]
