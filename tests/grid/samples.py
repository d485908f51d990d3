"""Pictures and sheets for the tests: flat colours that are easy to find again, and Roboto as the only font."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from clip_grid.grid.arrange.badges import Badges
from clip_grid.grid.paint.render import PaintJob, paint_page
from clip_grid.grid.paint.style import make_style
from clip_grid.grid.pictures.find import find_files
from clip_grid.grid.pictures.survey import Survey, pictures_from_arrays, survey_files
from clip_grid.grid.planner import PlanInputs, PlannedSheet, plan_sheet
from clip_grid.grid.report import GridReport
from clip_grid.grid.sheet import write_planned
from clip_grid.grid.template import GridTemplate
from clip_grid.grid.text.fonts import find_faces
from clip_grid.grid.write.output import Output
from PIL import Image, PngImagePlugin

FACES = find_faces("", machine_fonts=())
WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (255, 0, 0)


def colour(index: int) -> tuple[int, int, int]:
    """A colour of its own for each index below 200, far from white, black and grey."""
    return 20 + index, 220 - index, 90


def flat(fill: Sequence[int], width: int = 4, height: int = 4) -> np.ndarray:
    return np.broadcast_to(np.array(fill, np.uint8), (height, width, len(fill))).copy()


def flats(count: int, width: int = 4, height: int = 4) -> list[np.ndarray]:
    return [flat(colour(i), width, height) for i in range(count)]


def noise(width: int, height: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def plan(pictures: Sequence[np.ndarray] | Survey, inputs: dict[str, Any] | None = None, **options: Any) -> PlannedSheet:
    survey = pictures if isinstance(pictures, Survey) else pictures_from_arrays(pictures)
    return plan_sheet(survey, GridTemplate(**options), PlanInputs(**{"faces": FACES, **(inputs or {})}))


def survey(folder: Path) -> Survey:
    return survey_files(find_files([folder]))


def export(
    pictures: Sequence[np.ndarray] | Survey, path: Path, inputs: dict[str, Any] | None = None, **options: Any
) -> GridReport:
    """The sheet in a file; further pages beside it as name-2."""
    output = Output(lambda page, _: path if page == 0 else path.with_stem(f"{path.stem}-{page + 1}"))
    return write_planned(plan(pictures, inputs, **options), output)


def paint_job(planned: PlannedSheet, badges: Badges | None = None) -> PaintJob:
    style = make_style(planned.template, planned.plan.metrics, planned.faces)
    return PaintJob(style, planned.pictures, planned.texts.labels, planned.resizer, badges or planned.badges)


def painted(planned: PlannedSheet, page: int = 0, badges: Badges | None = None) -> np.ndarray:
    """The page as uint8 [height, width, 3 or 4]."""
    return np.concatenate(list(paint_page(planned.plan.pages[page], paint_job(planned, badges))))


def pixels_of(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def save(path: Path, pixels: np.ndarray | None = None, **texts: str) -> Path:
    """A PNG with text chunks."""
    data = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        data.add_text(key, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(flat(RED) if pixels is None else pixels).save(path, pnginfo=data)
    return path


def generated(path: Path, pixels: np.ndarray | None = None, **values: object) -> Path:
    """A PNG as the A1111 web UI writes it; ``prompt`` and then ``Name: value`` pairs."""
    prompt = values.pop("prompt", "a planet")
    pairs = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in {"Steps": 20, **values}.items())
    return save(path, pixels, parameters=f"{prompt}\n{pairs}")


def truncated(path: Path, pixels: np.ndarray | None = None) -> Path:
    """A PNG of which only the beginning is there."""
    save(path, noise(64, 64) if pixels is None else pixels)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
