"""Where a sheet is written to: file formats, and the files of its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import features

from ...arrays import Pixels
from ...errors import InputError
from ...imaging import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from ..report import GridReport

#: The suffix of files of each format.
SUFFIX = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "avif": ".avif",
    "tiff": ".tiff",
    "pdf": ".pdf",
    "html": ".html",
}
#: Formats by suffix.
FORMAT_OF = {suffix: name for name, suffix in SUFFIX.items()} | {".jpeg": "jpeg", ".tif": "tiff", ".htm": "html"}
#: Endings of other kinds of files, which are not taken for a part of the name.
OTHER_SUFFIXES = PICTURE_SUFFIXES.difference(FORMAT_OF) | frozenset(
    {
        ".apng", ".jxl", ".heic", ".heif", ".jp2", ".tga", ".psd", ".exr", ".hdr", ".dds", ".ico", ".svg", ".eps",
        ".ppm", ".pgm", ".pbm", ".pnm", ".qoi", ".mp4", ".webm", ".mov", ".mkv", ".csv", ".tsv", ".json", ".jsonl",
        ".txt", ".md", ".xml", ".xlsx", ".docx", ".zip", ".safetensors",
    }
)  # fmt: skip
#: These formats hold all pages in one file.
ONE_FILE = frozenset({"pdf", "html"})


@dataclass(frozen=True)
class Output:
    """The files of a sheet, and the texts that are embedded in them (workflow, prompt, ...)."""

    #: The file of a page, from the number of the page and of all pages.
    path_of: Callable[[int, int], Path]
    texts: Mapping[str, str] = field(default_factory=dict)
    #: Whether the first file may replace one that is not a sheet of this program.
    replace: bool = False
    #: Moves on to other names while one of these is taken; None where the names are given.
    next_names: Callable[[], None] | None = None
    #: Changes the report that is written beside the sheet.
    public: Callable[[GridReport], GridReport] = lambda report: report
    #: Called with the page number and each painted band; the pages of an HTML sheet are painted for it alone.
    on_band: Callable[[int, Pixels], None] | None = None

    def observed(self, page: int, bands: Iterable[Pixels]) -> Iterator[Pixels]:
        """The bands of a page, each of them passed to ``on_band`` first."""
        for band in bands:
            if self.on_band:
                self.on_band(page, band)
            yield band


def check_format(format: str) -> None:
    """Raises InputError when this Pillow was built without the format."""
    if format in ("webp", "avif") and not features.check(format):
        raise InputError(f"this Pillow cannot write {format}; install a newer Pillow or choose png, jpeg or tiff")
