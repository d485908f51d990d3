"""Any data set that is known, read: its layout is told by what the file or folder holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

from ....errors import InputError
from ...finding.folders import StrPath
from .dataset import Dataset, FactsOf, Kind
from .folders import (
    METADATA,
    PictureTree,
    caption_rows,
    class_rows,
    note_captions,
    note_repeats,
    picture_tree,
    prompt_rows,
    tables_in,
)
from .json_files import json_rows
from .rows import PART_NAMES, Reading, Row
from .shards import check_archive, shard_rows
from .tables import csv_rows, json_line_rows

_TABLES = (".csv", ".tsv")


def read_dataset(path: StrPath, *, root: StrPath | None = None, facts_of: FactsOf | None = None) -> Dataset:
    """The examples in a file or folder of any layout that is known, with what is wrong in single rows.

    A file: CSV, TSV, JSON, JSON lines, or a shard (.tar). A folder: with metadata.csv or metadata.jsonl, of shards, of
    pictures with captions beside them, of one folder for each class, each of these also in folders train, val and test;
    or of generated pictures, whose prompts are their captions.
    root: where relative paths of a file are looked up first; then in the folder of the file, then in the current one.
    facts_of: reads how a picture was generated from its file; without it only tables tell.
    Raises InputError, naming the file or folder, for what is no data set and for one of which nothing can be used.
    """
    source = Path(os.path.abspath(os.path.expanduser(path)))
    given = [] if root is None else [Path(os.path.abspath(os.path.expanduser(root)))]
    for folder in given:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder} to look for pictures in; check root")
    if source.is_dir():
        return _folder(source, given, facts_of)
    layout, rows = _file(source)
    folders = list(dict.fromkeys([*given, source.parent]))
    return Reading(layout, source, folders, facts_of=facts_of, last=Path.cwd()).dataset(rows)


def _file(path: Path) -> tuple[str, Iterable[Row]]:
    check_archive(path)
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return "JSON lines", json_line_rows(path)
    if suffix == ".json":
        return json_rows(path)
    if suffix == ".tar":
        return "webdataset (one .tar file)", shard_rows([path])
    if suffix in (*_TABLES, ".txt") or not path.exists():
        return "TSV" if suffix == ".tsv" else "CSV", csv_rows(path)
    raise InputError(
        f"{path} is no data set that is known; give a .csv, .tsv, .json, .jsonl or .tar file, or a folder of pictures"
    )


def _folder(folder: Path, given: list[Path], facts_of: FactsOf | None) -> Dataset:
    tables = tables_in(folder)
    parts = [place for name in sorted(os.listdir(folder)) if name.casefold() in PART_NAMES
             and (place := folder / name).is_dir()]  # fmt: skip
    for place in [folder, *parts]:
        if any((place / name).is_file() for name in METADATA):
            return _imagefolder(folder, [folder] if place == folder else parts, given, facts_of)
    shards = tables_in(folder, (".tar",))
    if shards:
        layout = f"webdataset ({len(shards)} .tar {'file' if len(shards) == 1 else 'files'})"
        return Reading(layout, folder, [folder], facts_of=facts_of).dataset(shard_rows(shards))
    tree = picture_tree(folder)
    if tree.described:
        return _imagefolder(folder, [folder / below for below in tree.described], given, facts_of)
    if tables and (not tree.pictures or (len(tree.classes) < 2 and not tree.is_captioned and not tree.is_flat)):
        names = ", ".join(path.name for path in tables[:5])
        raise InputError(f"{folder} holds {names}; give the path of the file with the examples, not of the folder")
    if not tree.pictures:
        raise InputError(f"{folder} holds no pictures and no table of them; check the path")
    return _pictures(tree, facts_of)


def _imagefolder(folder: Path, places: list[Path], given: list[Path], facts_of: FactsOf | None) -> Dataset:
    """Tables in the folder itself, in those of a split or anywhere below; paths are relative to the table."""
    rows: list[Row] = []
    for place in places:
        table = next((place / name for name in METADATA if (place / name).is_file()), None)
        if table is None:
            continue
        read = csv_rows(table) if table.suffix == ".csv" else json_line_rows(table)
        below = "" if place == folder else f"{place.relative_to(folder).as_posix()}/"
        rows += [_placed(row, below, table.name) for row in read]
    name = "metadata.csv" if any((place / "metadata.csv").is_file() for place in places) else "metadata.jsonl"
    layout = f"Hugging Face imagefolder ({name})"
    return Reading(layout, folder, [folder, *given], facts_of=facts_of).dataset(rows)


def _placed(row: Row, below: str, table: str) -> Row:
    """With its path relative to the whole folder, and its part by the first folder of that."""
    if below:
        row = replace(row, file=f"{below}{table}")
    if not isinstance(row.picture, str) or not row.picture:
        return row
    path = f"{below}{row.picture}" if not os.path.isabs(row.picture) else row.picture
    first = path.replace("\\", "/").partition("/")[0]
    part = row.part or (first if first.casefold() in PART_NAMES and "/" in path.replace("\\", "/") else "")
    return replace(row, picture=path, part=part)


def _pictures(tree: PictureTree, facts_of: FactsOf | None) -> Dataset:
    """Captions beside the pictures, else folders of classes, else prompts."""
    if tree.is_captioned:
        note_repeats(tree)
        layout, rows, kind = "pictures with captions beside them (kohya)", list(caption_rows(tree)), "captions"
    elif tree.classes:
        note_captions(tree, "the folders are the classes")
        layout, rows, kind = "a folder for each class", list(class_rows(tree)), "classes"
    else:
        note_captions(tree, "the prompts are the captions")
        layout, kind = "generated pictures, whose prompts are their captions", "captions"
        rows = list(prompt_rows(tree, facts_of)) if facts_of else []
        if all(row.problem for row in rows):
            raise InputError(
                f"{tree.root} holds pictures without captions{', and their files tell no prompt' if facts_of else ''}; "
                "write a .txt file beside each, or put them into a folder for each class"
            )
        # they were looked at already
        facts_of = None
    reading = Reading(layout, tree.root, [tree.root], cast("Kind", kind), facts_of, tree.findings)
    return reading.dataset(rows)
