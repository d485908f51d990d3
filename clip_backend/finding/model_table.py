"""The table of found models for a terminal: a line per model, and below it what is assumed and what is wrong."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..checkpoint_info import CheckpointInfo, TextShape, VisionShape
from .catalog import FoundModel

HEADINGS = ("name", "family", "towers", "size", "embeds", "dtype", "file")
_GAP = "  "
_INDENT = "    "
#: Room for names below which each stands on a line of its own.
_NARROWEST_NAME = 24
#: What people call a vision transformer of this width and this many layers.
_LETTERS = {
    (384, 12): "S", (768, 12): "B", (1024, 24): "L", (1152, 27): "SO400M", (1280, 32): "H", (1408, 40): "g",
    (1536, 40): "g", (1664, 48): "bigG",
}  # fmt: skip
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class ModelRow:
    """One model as it is shown; cells are in the order of HEADINGS, the name first."""

    cells: tuple[str, ...]
    #: Sentences that stand below the line.
    remarks: tuple[str, ...] = ()


def table_lines(found: Iterable[FoundModel], width: int) -> list[str]:
    """The table in lines of at most ``width`` columns, no line for no models.

    A name that does not fit stands on a line of its own, and all of them do where there is little room for names.
    Characters that would move the cursor are shown as their escapes.
    """
    rows = [row_of(model) for model in found]
    if not rows:
        return []
    widths = _widths([HEADINGS, *(row.cells for row in rows)], width)
    lines = list(_line(HEADINGS, widths, width))
    for row in rows:
        lines += _line(row.cells, widths, width)
        for remark in row.remarks:
            lines += _wrapped(remark, width)
    return lines


def _widths(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """Columns of each cell; a first one that is narrower than its names only makes room before the others."""
    widths = [max(columns_of(line[column]) for line in lines) for column in range(len(HEADINGS))]
    room = width - sum(widths[1:]) - len(_GAP) * (len(widths) - 1)
    if room < min(widths[0], _NARROWEST_NAME):
        return [len(_INDENT) - len(_GAP), *widths[1:]]
    return [min(widths[0], room), *widths[1:]]


def row_of(model: FoundModel) -> ModelRow:
    """What is shown of a model."""
    info = model.info
    name = printable(model.name)
    if info is None:
        return ModelRow((name, *[""] * (len(HEADINGS) - 1)), _remarks(model))
    towers = [name for name, shape in (("vision", info.vision), ("text", info.text)) if shape]
    # nobody counted what is in a pickle
    dtype = _DTYPES.get(info.dtype, info.dtype) if info.parameters else ""
    embedding = str(info.projection or ("none" if towers else ""))
    cells = (name, info.family, "+".join(towers), size_name(info), embedding, dtype, file_size(info.size_bytes))
    return ModelRow(cells, _remarks(model))


def size_name(info: CheckpointInfo) -> str:
    """What people call a model of this size, such as ``ViT-L/14 224``, or layers and width of a text tower."""
    if info.vision:
        return _vision_size(info.vision)
    return _text_size(info.text) if info.text else ""


def _vision_size(shape: VisionShape) -> str:
    letter = _LETTERS.get((shape.width, shape.layers))
    name = f"ViT-{letter}" if letter else f"{shape.layers}x{shape.width}"
    return f"{name}/{shape.patch} {shape.image_size}"


def _text_size(shape: TextShape) -> str:
    return f"{shape.layers}x{shape.width} text"


def file_size(count: int) -> str:
    """Bytes with three digits that matter, as file managers show them: 1.26 GB."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB" if size < 999.5 else f"{size:.0f} GB"


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal would act on instead of showing it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes; Chinese, Japanese and Korean characters take two."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _remarks(model: FoundModel) -> tuple[str, ...]:
    remarks = []
    if model.info and model.info.unknown and not model.problem:
        remarks.append(f"assumed: {', '.join(model.info.unknown)}")
    if model.problem:
        remarks.append(f"problem: {model.problem}")
    remarks += [f"note: {note}" for note in (model.info.notes if model.info else ())]
    return tuple(map(printable, remarks))


def _line(cells: Sequence[str], widths: Sequence[int], width: int) -> Iterator[str]:
    name = cells[0]
    if columns_of(name) > widths[0]:
        yield from _cut(name, width)
        name = ""
    padded = [cell + " " * (size - columns_of(cell)) for cell, size in zip((name, *cells[1:]), widths, strict=True)]
    line = _GAP.join(padded).rstrip()
    if line:
        yield line


def _cut(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most that many columns."""
    piece, taken = "", 0
    for char in text:
        taken += _columns(char)
        if taken > width and piece:
            yield piece
            piece, taken = "", _columns(char)
        piece += char
    yield piece


def _wrapped(remark: str, width: int) -> list[str]:
    room = max(width - len(_INDENT), _NARROWEST_NAME)
    lines = textwrap.wrap(remark, room, break_on_hyphens=False)
    return [_INDENT + piece for line in lines for piece in _cut(line, room)]
