"""Draw Things: a JSON object of short keys in the comment, which it writes to XMP and to EXIF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .a1111 import PLACES
from .columns import as_list, as_object, first_object, loras_text, pick, to_columns


def read_draw_things(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a Draw Things picture; empty for any other."""
    settings = first_object(texts, *PLACES, marks=['"sampler"'])
    if "c" not in settings or "sampler" not in settings:
        return {}
    raw = pick(
        settings, "seed", "steps", "sampler", "model",
        prompt="c", negative="uc", cfg="scale", denoise="strength",
    )  # fmt: skip
    size = settings.get("size")
    if isinstance(size, str) and (numbers := re.fullmatch(r"(\d{1,6})x(\d{1,6})", size)):
        raw["width"], raw["height"] = numbers.groups()
    raw["loras"] = loras_text(_loras(settings.get("lora")))
    return to_columns(raw)


def _loras(value: object) -> Iterator[tuple[object, object]]:
    for entry in map(as_object, as_list(value)):
        yield entry.get("model", entry.get("file")), entry.get("weight")
