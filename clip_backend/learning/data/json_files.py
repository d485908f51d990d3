"""JSON files: COCO, Karpathy's splits of it, a caption or some for each path, and lists of objects.

{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": "a cat"}], "categories": […]}
{"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a cat"}]}]}
{"a.jpg": ["a cat", "a pet"], "b.jpg": "a dog", "c.jpg": {"caption": "a fox"}}
[{"image": "a.jpg", "text": "a cat"}]
Sources: https://cocodataset.org/#format-data, Karpathy and Fei-Fei 2015.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ....csv_cells import plain_name
from ....errors import InputError
from ....input_files import read_file
from ....json_text import UNIQUE, JsonError, parse_json
from .rows import Row
from .tables import object_rows, text_of, texts_of

#: Larger files are refused; the captions of COCO have 90 MB.
MAX_BYTES = 512 << 20
MAX_MARKS = 40_000_000
_SHAPES = (
    'one of {"images": […], "annotations": […]} (COCO), {"path": ["caption", …]} and [{"image": "path", "text": '
    '"caption"}, …]'
)


def json_rows(path: Path) -> tuple[str, Iterable[Row]]:
    """The layout of a JSON file in a line, and its rows; raises InputError, naming the file, for any other JSON."""
    try:
        value = parse_json(read_file(path, "the data set", most_bytes=MAX_BYTES), UNIQUE, max_marks=MAX_MARKS)
    except JsonError as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return "JSON, a list of objects", object_rows(value, path)
    if isinstance(value, dict) and isinstance(images := value.get("images"), list):
        if isinstance(value.get("annotations"), list):
            return "COCO (images and annotations)", _coco_rows(value)
        flat = [_with_path(one) if isinstance(one, dict) else one for one in images]
        return "JSON of Karpathy's splits (images with sentences)", object_rows(flat, path)
    if isinstance(value, dict) and value and all(isinstance(one, (str, list, dict)) for one in value.values()):
        return "JSON of captions by path", _path_rows(value)
    raise InputError(f"{path} is JSON of no shape that is known; give {_SHAPES}")


def _with_path(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image of Karpathy's, whose "filepath" is the folder, with its whole path as "filename"."""
    name, folder = _of(image, "filename"), text_of(image.get("filepath"))
    others = {key: value for key, value in image.items() if key not in ("filename", "filepath")}
    return others | {"filename": f"{folder}/{name}" if folder and name else name}


def _path_rows(value: Mapping[str, object]) -> Iterator[Row]:
    for number, (name, said) in enumerate(value.items(), 1):
        for text in texts_of(said) or [""]:
            yield Row(name, text, number=number)


def _coco_rows(value: Mapping[str, Any]) -> Iterator[Row]:
    """A row for each annotation, numbered in their order; captions, or the names of categories where there are none."""
    images = [one for one in value["images"] if isinstance(one, dict)]
    counts = Counter(_of(one, "id") for one in images)
    names = {_of(one, "id"): _of(one, "filename") for one in images}
    categories = value.get("categories")
    listed = categories if isinstance(categories, list) else []
    labels = {_of(one, "id"): _of(one, "name") for one in listed if isinstance(one, dict)}
    annotations = value["annotations"]
    has_captions = any(isinstance(one, dict) and "caption" in one for one in annotations)
    # the boxes of one picture that are of one category say one thing
    said: set[tuple[str, str]] = set()
    annotated: set[str] = set()
    for number, one in enumerate(annotations, 1):
        if reason := _coco_problem(one, counts, None if has_captions else labels):
            yield Row("", number=number, problem=("bad-entry", reason))
            continue
        id = _of(one, "imageid")
        annotated.add(id)
        if has_captions:
            yield Row(names[id], text_of(one.get("caption")), number=number)
        elif (label := labels[_of(one, "categoryid")], id) not in said:
            said.add((label, id))
            yield Row(names[id], label=label, number=number)
    for id, name in names.items():
        if id not in annotated and counts[id] == 1:
            yield Row(name, name=name, problem=("no-text", f"no annotation that can be used is about it (id {id})"))


def _coco_problem(annotation: object, images: Mapping[str, int], labels: Mapping[str, str] | None) -> str:
    """Why an annotation cannot be used; empty if it can.

    images: how many have each id. labels: the name of each category; None where captions are read.
    """
    if not isinstance(annotation, dict):
        return "it is no object"
    id, category = _of(annotation, "imageid"), _of(annotation, "categoryid")
    if images.get(id, 0) != 1:
        there = "which is not among the images" if id not in images else "an id that several images have"
        return f"it is about the picture {id!r}, {there}"
    if labels is not None and not labels.get(category):
        return f"its category {category!r} is not among the categories; add its name to them"
    return ""


def _of(record: Mapping[str, Any], name: str) -> str:
    """The single value under a name in any spelling; empty if there is none."""
    return next((text_of(value) for key, value in record.items() if plain_name(key) == name), "")
