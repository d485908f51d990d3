"""The template of a sheet: every setting, and where templates are built in, saved and read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..atomic import atomic_file, check_replaceable
from ..errors import InputError
from ..input_files import read_file
from ..json_text import JsonError, parse_json, parse_object, to_json
from ..options import check, option, options_of
from ..visible_text import short_names
from .colors import parse_color

#: Everything that may follow in ``label_sources``, in the order in which the sources are asked.
SOURCE_NAMES = ("text", "columns", "csv", "clip", "metadata", "filename")
FORMATS = ("png", "jpeg", "webp", "avif", "tiff", "pdf", "html")
AUTO = "auto"
_FORMAT_ALIASES = {"jpg": "jpeg", "tif": "tiff"}
#: Names that Windows reserves for devices, whatever comes after the first dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class GridTemplate:
    """Every setting of a sheet. Sizes are pixels of the finished page; 0 means automatic where the help says so."""

    rows: int = option(0, "Rows on a page; 0 = as many as the pictures need", low=0, high=10_000)
    columns: int = option(0, "Columns on a page; 0 = automatic, about square", low=0, high=10_000)
    cell_width: int = option(0, "Cell width in pixels; 0 = from the pictures, at most 512", low=0, high=16_384)
    cell_height: int = option(
        0,
        "Cell height in pixels, captions not counted; 0 = from the pictures; a row of lower pictures with captions is "
        "lower",
        low=0,
        high=16_384,
    )
    fit: str = option(
        "contain",
        "How a picture fills its cell: contain keeps all of it, cover crops the centre, stretch ignores the ratio, "
        "pad contains it on a coloured cell, original keeps its pixels",
        choices=("contain", "cover", "stretch", "pad", "original"),
    )
    margin: int = option(10, "Space around the page's content and, if gap is -1, between the cells", low=0, high=2_000)
    font: str = option("", "Font file or family; empty = Roboto, with other faces for the characters that it lacks")
    font_size: int = option(0, "Label size in pixels; 0 = from the cell (16 for a cell of 256)", low=0, high=1_000)
    text_color: str = option("white", "Label colour: name, #rrggbb or r,g,b")
    background: str = option("white", "Page colour: name, #rrggbb, r,g,b or transparent")
    label_position: str = option(
        "below",
        "Where the label stands: as a caption below or above the picture, over it at its foot, or none",
        choices=("over", "below", "above", "none"),
    )
    title: str = option("", "Title at the top of each page; {page} and {pages} are filled in", multiline=True)
    row_headers: str = option("", "Row headers, one per line or separated by ;", multiline=True)
    column_headers: str = option("", "Column headers, one per line or separated by ;", multiline=True)
    x_axis: str = option(
        AUTO, "Column of values that runs along the columns of the table; auto finds it, none switches it off"
    )
    y_axis: str = option(
        AUTO, "Column of values that runs along the rows of the table; auto finds it, none switches it off"
    )
    sort_by: str = option("name", "Order of the pictures: name, time, given, csv, or a column or score such as seed")
    label_columns: str = option("", "Columns shown as the label, separated by commas, such as seed, sampler")
    label_format: str = option("", "Label text with columns in braces, such as {seed} · {sampler} · cfg {cfg}")
    format: str = option("png", "File format of the sheet", choices=FORMATS)
    quality: int = option(95, "Quality of JPEG, WebP and AVIF, and of pictures in PDF and HTML", low=1, high=100)
    on_overflow: str = option(
        "split",
        "When a page is larger than its format or the memory can hold: split it into pages, scale it down, or stop",
        choices=("split", "scale", "stop"),
    )
    page_axis: str = option(
        AUTO, "Column of values that makes pages; auto finds it, none switches it off", advanced=True
    )
    reverse: bool = option(False, "Reverse the order of the pictures", advanced=True)
    gap: int = option(-1, "Space between the cells; -1 = the margin", low=-1, high=2_000, advanced=True)
    enlarge: bool = option(False, "Let contain and pad enlarge pictures that are smaller than the cell", advanced=True)
    label_sources: str = option(
        "text, columns, csv, clip, metadata, filename",
        "Where labels may come from, asked in this order for each picture; leave one out to switch it off",
        advanced=True,
    )
    min_font_size: int = option(
        8, "All labels are shrunk together to this size before one is shortened", low=1, high=1_000, advanced=True
    )
    label_align: str = option("center", "Alignment of labels", choices=("left", "center", "right"), advanced=True)
    outline_color: str = option("black", "Colour of the outline around text that stands over a picture", advanced=True)
    outline_width: int = option(
        -1, "Width of that outline; -1 = an eighth of the font size", low=-1, high=100, advanced=True
    )
    page_text_color: str = option(
        AUTO,
        "Colour of titles, headers and label strips; auto = black or white, whichever reads better on the page",
        advanced=True,
    )
    pad_color: str = option("black", "Colour of the cell behind the picture when fit is pad", advanced=True)
    border_width: int = option(0, "Border around each picture", low=0, high=500, advanced=True)
    border_color: str = option("#808080", "Colour of that border", advanced=True)
    header: str = option("", "Line under the title", multiline=True, advanced=True)
    footer: str = option(
        "", "Line at the foot of each page; {page} and {pages} are filled in", multiline=True, advanced=True
    )
    legend: str = option(
        AUTO,
        "List the values that all pictures share: auto = when the sheet is a table of generation data",
        choices=(AUTO, "on", "off"),
        advanced=True,
    )
    badge: str = option("", "Score or column shown as a badge in the corner of each cell", advanced=True)
    winner: str = option(
        "none",
        "Mark the picture with the highest or the lowest badge score, where it stands out from the next one",
        choices=("none", "highest", "lowest"),
        advanced=True,
    )
    resample: str = option(
        "fast",
        "fast decodes large JPEG files at half size where nothing visible is lost; lanczos never does; torch does as "
        "fast does and resizes by torch, for big jobs where it is installed",
        choices=("fast", "lanczos", "torch"),
        advanced=True,
    )
    frame: int = option(
        0, "Frame of animated pictures, from 0; past the end means the last", low=0, high=1_000_000, advanced=True
    )
    sidecar: bool = option(
        True, "Write a JSON file beside the sheet with the box, file, label and values of each cell", advanced=True
    )
    heatmap: str = option(
        "off",
        "Colour the badges by their score, with a scale, and show with each header of a table the mean over its "
        "pictures on all pages; takes the score that badge names, or the only one there is",
        choices=("off", "on"),
        advanced=True,
    )
    scores_csv: bool = option(
        False, "Write the scores of each picture into a file NAME.scores.csv beside the sheet", advanced=True
    )

    name: str = "untitled"
    #: Keys of a template file that this version does not know, for writing them back.
    unknown: Mapping[str, Any] = field(default_factory=dict)
    #: Taken for ``columns``, and [width, height] for ``cell_width`` and ``cell_height``; read those.
    cols: InitVar[int | None] = None
    cell_size: InitVar[Sequence[int] | None] = None

    def __post_init__(self, cols: int | None, cell_size: Sequence[int] | None) -> None:
        given = {key: value for key, value in (("cols", cols), ("cell_size", cell_size)) if value is not None}
        for key, value in _without_aliases(given, self.name).items():
            if getattr(self, key):
                raise InputError(f"{key} was given and so was {' and '.join(given)}, which stands for it; give one")
            object.__setattr__(self, key, value)
        values = {f.name: getattr(self, f.name) for f in fields(self) if "option" in f.metadata}
        for key, value in check(type(self), values).items():
            object.__setattr__(self, key, value)
            if options_of(type(self))[key].is_color and str(value).strip().lower() != AUTO:
                parse_color(str(value), key)
        parse_sources(self.label_sources)

    def with_options(self, options: Mapping[str, object]) -> GridTemplate:
        """A copy with some options replaced; raises InputError for an unknown name or a bad value."""
        return replace(self, **check(GridTemplate, options))  # type: ignore[arg-type]

    def with_name(self, name: str) -> GridTemplate:
        """A copy under another name."""
        return replace(self, name=name)

    def to_json(self) -> str:
        """JSON text with every option; ``GridTemplate.from_json`` gives an equal template back."""
        known = {"name": self.name} | {key: getattr(self, key) for key in options_of(GridTemplate)}
        return to_json(known | dict(self.unknown), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, name: str = "template") -> GridTemplate:
        """The template in a JSON text; missing options take their defaults, unknown keys go to ``unknown``.

        Also reads files of six keys: name, rows, cols, cell_size, margin, font_size, where null means automatic, and
        the formats jpg and tif. Raises InputError naming the file for broken JSON or a value out of its bounds.
        """
        try:
            data = parse_json(text)
        except JsonError as error:
            raise InputError(f"the template {name} is not JSON ({error}); write one with --save-template") from error
        if not isinstance(data, dict):
            raise InputError(f"the template {name} holds a {type(data).__name__}; it must be an object of options")
        return cls.from_dict(data, name=name)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "template") -> GridTemplate:
        """The template of a parsed JSON object; see ``from_json``."""
        rest = _without_aliases(data, name)
        own_name = str(rest.pop("name", None) or name)
        options = {key: rest.pop(key) for key in options_of(cls) if key in rest}
        try:
            return cls(name=own_name, unknown=rest, **check(cls, options))  # type: ignore[arg-type]
        except InputError as error:
            raise InputError(f"the template {name}: {error}") from error


def _without_aliases(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options under their present names: those of the files of six keys replaced."""
    plain = dict(data)
    if "cols" in plain:
        plain["columns"] = plain.pop("cols")
    if "cell_size" in plain:
        size = plain.pop("cell_size")
        if not isinstance(size, (list, tuple)) or len(size) != 2:
            raise InputError(f"the template {name}: cell_size is {size!r}; it must be [width, height]")
        plain["cell_width"], plain["cell_height"] = size
    if "format" in plain:
        plain["format"] = _FORMAT_ALIASES.get(str(plain["format"]).lower(), plain["format"])
    automatic = ("rows", "columns", "cell_width", "cell_height", "font_size")
    return {key: 0 if value is None and key in automatic else value for key, value in plain.items()}


@cache
def built_in_templates() -> Mapping[str, GridTemplate]:
    """The templates that come with the pack, by name."""
    table = _built_in_options()
    return MappingProxyType({name: GridTemplate.from_dict(values | {"name": name}) for name, values in table.items()})


def _built_in_options() -> dict[str, dict[str, Any]]:
    return parse_object((Path(__file__).parent / "templates.json").read_text("utf-8"))


def sets_option(template: str, option: str) -> bool:
    """Whether a template, by its file or by the name of a built-in one, has a value of its own for an option."""
    path = Path(os.path.expanduser(template))
    if not os.path.isfile(path):
        return option in _built_in_options().get(template, {})
    try:
        return option in parse_object(read_file(path, "the template"))
    except InputError:
        return False


def saved_templates(folder: Path) -> dict[str, Path]:
    """Template files in a folder, by name; hidden files are left out."""
    files = (path for path in sorted(folder.glob("*.json")) if os.path.isfile(path))
    return {path.stem: path for path in files if not path.name.startswith(".")}


def find_template(name: str, folder: Path | None = None) -> GridTemplate:
    """The template saved in the folder or built in under this name; the saved one wins.

    Raises InputError for a name that is unknown or holds a path.
    """
    saved = saved_templates(folder) if folder else {}
    if name in saved:
        return read_template(saved[name])
    built_in = built_in_templates()
    if name in built_in:
        return built_in[name]
    known = sorted({*saved, *built_in})
    raise InputError(f"there is no template {short_names(name)!r}{_hint(name, known)}; known are {', '.join(known)}")


def _hint(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name[:200], known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def read_template(path: Path) -> GridTemplate:
    """The template in a file, named after it unless it has a name; raises InputError naming the file."""
    try:
        text = read_file(path, "the template").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the template {path} is not UTF-8 ({error}); save it as UTF-8") from error
    template = GridTemplate.from_json(text, name=str(path))
    return template.with_name(path.stem) if template.name == str(path) else template


def write_template(template: GridTemplate, path: Path, *, overwrite: bool = False) -> None:
    """Write the file, whole or not at all. Raises OutputError when it cannot be written or holds something else."""
    check_replaceable(path, _is_template, "a template of this program", overwrite=overwrite)
    with atomic_file(path) as file:
        file.write(template.to_json().encode("utf-8"))


def _is_template(path: Path) -> bool:
    """Whether the file holds all the options that ``to_json`` writes."""
    try:
        data = parse_object(read_file(path, "the template"))
    except InputError:
        return False
    # older versions wrote fewer
    return {"name", "rows", "columns", "cell_width", "label_position"} <= data.keys()


def template_path(name: str, folder: Path) -> Path:
    """Where a template of this name is saved; raises InputError for a name that is not a plain file name everywhere."""
    bad = (
        not name
        or name != name.strip(" .")
        or any(c in '/\\:*?"<>|\x7f' or ord(c) < 32 or "\ud800" <= c <= "\udfff" for c in name)
        or len(name.encode("utf-8", "replace")) > 200
        or _DEVICE.fullmatch(name)
    )
    if bad:
        raise InputError(f"{short_names(name)!r} cannot name a template; use letters, digits, spaces, - and _")
    return folder / f"{name}.json"


def split_columns(text: str) -> list[str]:
    """Column names from a text with commas or semicolons between them."""
    return [name for part in re.split(r"[,;\n]", text) if (name := part.strip())]


def split_headers(text: str) -> list[str]:
    """Headers from a text: one per line, or with semicolons between them when it is a single line."""
    text = text.strip("\n")
    if not text:
        return []
    return [part.strip() for part in (text.split("\n") if "\n" in text else text.split(";"))]


def parse_sources(text: str) -> frozenset[str]:
    """The sources named in ``label_sources``; raises InputError for one that does not exist."""
    names = [name.lower() for name in split_columns(text)]
    for name in names:
        if name not in SOURCE_NAMES:
            known = ", ".join(SOURCE_NAMES)
            raise InputError(f"label_sources names {name!r}; it may name {known}{_hint(name, SOURCE_NAMES)}")
    return frozenset(names)
