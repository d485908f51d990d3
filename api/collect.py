"""``collect_images``: the pictures of a folder with what a table or CLIP says of each, as plain dicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..clip_backend.labelling.result import UNLABELED
from ..errors import ClipGridError, InputError, PictureError
from ..imaging import load_picture
from ..log import logger
from .label import CLIPLabeler
from .pictures import StrPath, gather


def collect_images(
    input_dir: StrPath,
    csv_records: Mapping[str, Mapping[str, Any]] | None = None,
    clip_labeler: CLIPLabeler | None = None,
) -> list[dict[str, Any]]:
    """A dict for each picture of a folder that can be read: path, filename, image (PIL) and metadata.

    csv_records: metadata by file name. clip_labeler: gives those without any ``{"auto_label": label}``, and their file
    name where it is not sure or cannot work. What cannot be read is left out with a warning.
    Raises InputError for a folder that does not exist or holds no picture that can be read.
    """
    paths = [path for path in gather(input_dir).pictures if isinstance(path, Path)]
    found = [item for path in paths if (item := _read(path))]
    if not found:
        raise InputError(f"no picture in {input_dir} can be read; the log says why")
    for item in found:
        item["metadata"] = dict((csv_records or {}).get(item["filename"], {}))
    unnamed = [item for item in found if not item["metadata"]]
    if clip_labeler and unnamed:
        for item, label in zip(unnamed, _labels(unnamed, clip_labeler), strict=True):
            item["metadata"] = {"auto_label": item["filename"] if label == UNLABELED else label}
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return {"path": str(path), "filename": path.name, "image": load_picture(path), "metadata": {}}
    except PictureError as error:
        logger.warning("%s is left out: %s", error.name, error.reason)
        return None


def _labels(items: list[dict[str, Any]], labeler: CLIPLabeler) -> list[str]:
    try:
        return labeler.batch_generate_labels([item["path"] for item in items])
    except ClipGridError as error:
        # labels are never worth a lost picture
        logger.warning("no labels from CLIP: %s; the file names are used", error)
        return [UNLABELED] * len(items)
