"""NovelAI: JSON settings in "Comment", the prompt also in "Description", the model in "Source"."""

from __future__ import annotations

from collections.abc import Mapping

from .columns import as_list, as_object, first_object, load_object, pick, to_columns


def read_novelai(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a NovelAI picture; empty for any other."""
    # in WebP the same names are the keys of one JSON object in the EXIF comment
    record = first_object(texts, "UserComment", marks=['"Comment"'])
    packed = {key: value for key, value in record.items() if isinstance(value, str)}
    named = {**texts, **packed} if packed.get("Comment") else texts
    if not any(named.get(name, "").startswith("NovelAI") for name in ("Software", "Source")):
        return {}
    comment = load_object(named.get("Comment", ""))
    raw: dict[str, object] = {"prompt": named.get("Description"), "model": named.get("Source")}
    raw |= pick(
        comment, "prompt", "seed", "steps", "sampler", "width", "height",
        negative="uc", cfg="scale", scheduler="noise_schedule", denoise="strength",
    )  # fmt: skip
    for column, key in (("prompt", "v4_prompt"), ("negative", "v4_negative_prompt")):
        raw[column] = _caption(comment.get(key)) or raw.get(column)
    return to_columns(raw)


def _caption(value: object) -> str:
    """The prompt of version 4: a base caption and one line per character."""
    caption = as_object(as_object(value).get("caption"))
    characters = [as_object(entry).get("char_caption") for entry in as_list(caption.get("char_captions"))]
    return "\n".join(text for text in (caption.get("base_caption"), *characters) if isinstance(text, str) and text)
