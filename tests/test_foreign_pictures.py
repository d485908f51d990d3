"""Pictures that Pillow alone does not read are read by its plugins where these are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from clip_grid.foreign_pictures import cure_of, plugin_format
from clip_grid.grid.pictures.find import find_files
from clip_grid.grid.pictures.survey import survey_files
from PIL import Image

#: A plugin as pillow-jxl-plugin and pillow-heif are: one is registered by its import, the other by a function. Of a
#: file they read one byte behind the mark, the grey of a picture of 6 x 4 pixels.
PLUGIN = """
from PIL import Image, ImageFile

class {format}File(ImageFile.ImageFile):
    format = "{format}"

    def _open(self):
        head = self.fp.read(13)
        if len(head) < 13:
            raise SyntaxError("too short")
        self._size, self._mode = (6, 4), "L"
        self.grey = head[12]

    def load(self):
        self.tile = []
        self.im = Image.new("L", self.size, self.grey).im
        return None

def register():
    Image.register_open("{format}", {format}File, lambda start: start.startswith({mark!r}))
"""
HEIC, JXL = b"\0\0\0\x18ftypheic", b"\0\0\0\x0cJXL \r\n\x87\n"


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Both plugins, installed for one test."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "pillow_jxl.py").write_text(PLUGIN.format(format="JXL", mark=JXL) + "\nregister()\n")
    heif = PLUGIN.format(format="HEIF", mark=HEIC)
    (folder / "pillow_heif.py").write_text(f"{heif}\nregister_heif_opener = register\n")
    monkeypatch.syspath_prepend(folder)
    for name in ("pillow_jxl", "pillow_heif"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    plugin_format.cache_clear()
    yield
    plugin_format.cache_clear()
    for name in {"JXL", "HEIF"} & Image.OPEN.keys():
        Image.OPEN.pop(name)
        Image.ID.remove(name)


def surveyed(folder: Path) -> tuple[dict[str, int], dict[str, str]]:
    """The grey of each picture by name, and the reason of each file that is left out."""
    survey = survey_files(find_files([folder]))
    grey = {picture.name: picture.load(None).getpixel((2, 2)) for picture in survey.pictures}
    return {name: pixel[0] for name, pixel in grey.items()}, {
        Path(skip.name).name: skip.reason for skip in survey.skipped
    }


def write_files(folder: Path) -> Path:
    folder.mkdir()
    Image.new("RGB", (3, 3), (9, 9, 9)).save(folder / "a.png")
    (folder / "b.heic").write_bytes(HEIC + b"\x80")
    # by its content, whatever its ending
    (folder / "c.jpg").write_bytes(JXL + b"\x40")
    (folder / "d.jxl").write_bytes(JXL)
    return folder


@pytest.mark.usefixtures("plugins")
def test_plugins_are_registered_when_a_picture_needs_them(tmp_path):
    grey, left_out = surveyed(write_files(tmp_path / "in"))

    assert grey == {"a.png": 9, "b.heic": 128, "c.jpg": 64}
    assert list(left_out) == ["d.jxl"]
    assert left_out["d.jxl"] == (
        "JPEG XL that pillow-jxl-plugin cannot read, so that it may be damaged; save it as PNG or JPEG"
    )


def test_without_plugins_the_report_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("clip_grid.foreign_pictures.find_spec", lambda name: None)
    plugin_format.cache_clear()

    grey, left_out = surveyed(write_files(tmp_path / "in"))

    assert grey == {"a.png": 9}
    assert {name: "run pip install " in reason for name, reason in left_out.items()} == {
        "b.heic": True, "c.jpg": True, "d.jxl": True,
    }  # fmt: skip
    plugin_format.cache_clear()


@pytest.mark.parametrize(
    "suffix",
    [".avif", ".jp2", ".dds", ".psd", ".svg", ".mp4", ".webm", ".gif", ".ico", ".qoi", ".exr", ".cr3", ".pfm", ".xcf"],
)
def test_every_file_with_the_ending_of_a_picture_is_in_the_report(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"\1\2\3 nothing that is known")

    grey, left_out = surveyed(tmp_path)

    assert (grey, list(left_out)) == ({}, [f"a{suffix}"])
    assert "save" in left_out[f"a{suffix}"] or "export" in left_out[f"a{suffix}"] or "develop" in left_out[f"a{suffix}"]


def test_what_is_not_known_has_no_cure():
    assert cure_of("") == ""
