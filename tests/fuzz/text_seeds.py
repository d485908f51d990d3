"""Whole files of every other kind that is read, before they are damaged: tables, templates, calibrations and more."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from clip_grid.api import GridTemplate, export_grid, fit_calibration
from clip_grid.grid.template import built_in_templates
from PIL import Image

from ..clip_backend.match_files.toy_match import ToyModel, run


class Seed(NamedTuple):
    """A file that is right: what reads it, its name, its content, and its value where it is JSON."""

    kind: str
    name: str
    data: bytes
    value: object = None


PICTURES = ("a.png", "b.png", "ü 1.png")
_CSV = (
    'filename,seed,label,prompt\na.png,1,a cat,"on a mat, “red”\nsecond line"\nb.png,18446744073709551616,,x\n'
    "ü 1.png,-0.5,dog,=1+1\nzzz.png,,,\n"
)
_ROWS = [{"filename": name, "seed": seed, "label": f"a {seed}"} for seed, name in enumerate(PICTURES)]
_COCO = {
    "info": {"year": 2017},
    "images": [{"id": number, "file_name": name, "width": 640} for number, name in enumerate(PICTURES)],
    "annotations": [
        {"id": 1, "image_id": 1, "caption": "a dog", "bbox": [1, 2, 3, 4], "category_id": 1},
        {"id": 2, "image_id": 0, "caption": "a fox"},
    ],
    "categories": [{"id": 1, "name": "cat"}],
}
_TABLES: tuple[object, ...] = (
    _ROWS,
    {"data": _ROWS, "version": 1},
    {"filename": list(PICTURES), "seed": [1, 2, 3], "model": "sdxl"},
    {name: {"seed": 1, "tags": ["cat", "mat"]} for name in PICTURES},
    {name: f"a {name}" for name in PICTURES},
    {"file": {"0": "a.png", "1": "b.png"}, "label": {"0": "x", "1": "y"}},
    {"columns": ["file", "label"], "index": [0], "data": [["a.png", "x"], ["b.png", "y"]]},
    [["file", "label"], ["a.png", "x"], ["b.png", "y"]],
    [{"a.png": "x"}, {"b.png": "y"}],
    _COCO,
)
_WORDS = {"subject": {"animal": ["owl", {"bird": ["wren"]}], "thing": ["cup"]}, "mood": ["calm", "dark"]}
_FACETS = [{"facet": "subject", "templates": ["a photo of {}"], "labels": ["owl", "dog"]}]
_YAML = """\
a1111:
  base_path: models
  is_default: true
  checkpoints: checkpoints
  loras: |
    loras
    more/loras
x: &x {y: [1, 2]}
comfyui: {base_path: ~/c, clip_vision: vision, vae: *x, 1: [2], clip: 2020-01-01, '': null}
"""


def text_seeds() -> list[Seed]:
    """Files by the kind of reader; those that the program writes itself are written by it."""
    seeds = [
        Seed("table", "t.csv", _CSV.encode()),
        Seed("table", "t.csv", _CSV.replace(",", ";").encode("utf-8-sig")),
        Seed("table", "t.csv", _CSV.encode("cp1252")),
        Seed("table", "t.csv", ("sep=;\r\n" + _CSV.replace(",", ";").replace("\n", "\r\n")).encode("utf-16")),
        Seed("table", "t.tsv", _CSV.replace(",", "\t").encode()),
        Seed("table", "t.csv", b"a.png,x\nb.png,y\n"),
        *(Seed("table", "t.json", json.dumps(value).encode(), value) for value in _TABLES),
        Seed("table", "t.json", "\n".join(map(json.dumps, _ROWS)).encode()),
        Seed("list", "l.txt", "in/a.png\n# remark\nin/b.png\n\nin/ü 1.png\nfile:///nowhere/%FF.png\nin\n".encode()),
        Seed("list", "l.txt", "in\\a.png\r\nin/b.png\r\nl.txt\r\n../*\r\n".encode("utf-16")),
        Seed("vocabulary", "w.txt", "# remark\n[subject]\nanimal > bird > owl\ndog\n[mood]\ncafé\n".encode()),
        Seed("vocabulary", "w.csv", b"label,facet,parent\nowl,subject,animal > bird\ncalm,mood,\n"),
        *(Seed("vocabulary", "w.json", json.dumps(value).encode(), value) for value in (_WORDS, _FACETS, ["a", "b"])),
        Seed("yaml", "extra_model_paths.yaml", _YAML.encode()),
        Seed("pairs", "p.csv", b'image_path,text,label\na.png,"a, x",1\nb.png,x,0\nc.png,y,\n'),
        Seed("pairs", "p.csv", "Image;Caption;is match\r\na.png;cat;yes\r\nb.png;é;no\r\n".encode("utf-16")),
    ]
    for template in [*built_in_templates().values(), replace(GridTemplate(), title="T {model}", row_headers="a;b")]:
        seeds.append(_json_seed("template", "t.json", template.to_json()))
    old = {"rows": 2, "cols": 3, "cell_size": [64, 48], "margin": 4, "font_size": None, "format": "jpg", "x": 1}
    seeds.append(_json_seed("template", "t.json", json.dumps(old)))
    with tempfile.TemporaryDirectory() as folder:
        seeds += _written_seeds(Path(folder))
    return seeds


def _json_seed(kind: str, name: str, text: str) -> Seed:
    return Seed(kind, name, text.encode(), json.loads(text))


def _written_seeds(folder: Path) -> list[Seed]:
    """What the program writes and reads again: calibrations, part files, sheets and their sidecars."""
    labels = np.arange(40) % 2 == 0
    toy = ToyModel()
    calibration = fit_calibration(np.random.default_rng(0).normal(0.2, 0.04, 40) + 0.05 * labels, labels, toy)
    calibration.save(folder / "c.json")
    seeds = [_json_seed("calibration", "c.json", (folder / "c.json").read_text("utf-8"))]
    for name in "ab":
        (folder / f"{name}.png").write_text(f"{name} x", "utf-8")
    (folder / "p.csv").write_text('image_path,text,label\na.png,"a, x",1\nb.png,x,0\nc.png,y,\n', "utf-8")
    seeds.append(Seed("part", "out.csv.part", _part_of(folder / "p.csv")))
    seeds.append(_json_seed("results", "out.json", (folder / "out.json").read_text("utf-8")))
    Image.new("RGB", (32, 24), "red").save(folder / "red.png")
    for ending in ("png", "jpg", "webp", "tiff", "pdf", "html"):
        sheet = folder / ending / f"s.{ending}"
        export_grid(folder / "red.png", sheet, cell_width=32, cell_height=32, sidecar=True)
        seeds.append(Seed("sheet", sheet.name, sheet.read_bytes()))
    seeds.append(_json_seed("sidecar", "s.json", (folder / "png" / "s.json").read_text("utf-8")))
    return seeds


def _part_of(pairs: Path) -> bytes:
    """The file of finished rows of a run that was stopped at its end."""
    part = pairs.with_name("out.csv.part")
    kept = io.BytesIO()

    def keep(done: int, total: int) -> None:
        if part.exists():
            kept.seek(0)
            kept.write(part.read_bytes())

    run(pairs, pairs.with_name("out.json"), ToyModel())
    run(pairs, pairs.with_name("out.csv"), ToyModel(), progress=keep)
    return kept.getvalue()
