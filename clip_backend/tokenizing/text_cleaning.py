"""How open_clip cleans a text before it is split, where that differs from transformers."""

from __future__ import annotations

import html
import importlib
import importlib.util
import string
from collections.abc import Callable

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def as_given(text: str) -> str:
    """The text itself."""
    return text


def lower(text: str) -> str:
    """As OpenAI's CLIP: repaired, HTML entities resolved, white space collapsed, lower case."""
    return " ".join(_basic(text).split()).lower()


def canonical(text: str) -> str:
    """As open_clip for SigLIP: also without punctuation, an underscore being a space."""
    return " ".join(_basic(text).replace("_", " ").translate(_PUNCTUATION).lower().split())


def _basic(text: str) -> str:
    return html.unescape(html.unescape(_repair()(text))).strip()


def _repair() -> Callable[[str], str]:
    """ftfy's repair of broken encodings and curly quotes; without that package texts stay as they are."""
    if importlib.util.find_spec("ftfy") is None:
        return as_given
    repair: Callable[[str], str] = importlib.import_module("ftfy").fix_text
    return repair
