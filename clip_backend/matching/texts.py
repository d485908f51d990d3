"""A prompt for picture generators as the plain text that it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import InputError
from ...options import option
from ..words.vocabulary import SLOT, check_templates

#: How the option for it is explained.
PROMPT_SYNTAX_HELP = "Read texts as prompts: (weights:1.2), <lora:names> and BREAK are left out"
_ESCAPED = re.compile(r"\\([()\[\]{}<>\\])")
_TAG = re.compile(r"<[^<>\n]*>")
_EMBEDDING = re.compile(r"\bembedding:[^\s,()\[\]{}]+", re.IGNORECASE)
_BREAK = re.compile(r"\bBREAK\b")
#: [from:to:when] and [to:when], where the picture ends with the second of them.
_SWITCH = re.compile(r"\[(?:[^\[\]:]*:)?([^\[\]:]*):\s*(?:\d+(?:\.\d*)?|\.\d+)\s*\]")
_WEIGHT = re.compile(r":\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*(?=[)\]}])")
_BRACKETS = re.compile(r"[()\[\]{}]")
_SPACES = re.compile(r"[^\S\n]+")
_ORPHANS = re.compile(r"(?:\s*,)+")
#: Escaped brackets wait here, in Unicode's private use area, while the others are taken out.
_HIDDEN = 0xE000


def plain_text(prompt: str) -> str:
    r"""What is left of a prompt without its syntax; a text that has none is given back as it is.

    Left out: weights and emphasis as in (cat:1.2), ((cat)), [cat] and {cat}; <lora:names> and other tags, and
    embedding:names. BREAK becomes a comma, [cat:dog:0.5] the dog that it ends with, and \( a bracket.
    Empty if there is nothing else.
    """
    text = _ESCAPED.sub(lambda match: chr(_HIDDEN + ord(match[1])), prompt)
    text = _EMBEDDING.sub("", _TAG.sub("", text))
    text = _SWITCH.sub(r"\1", _BREAK.sub(",", text))
    text = _shown(_BRACKETS.sub("", _WEIGHT.sub("", text)))
    return prompt if text == prompt else _tidy(text)


def _shown(text: str) -> str:
    return re.sub("[\ue000-\ue07f]", lambda match: chr(ord(match[0]) - _HIDDEN), text)


def _tidy(text: str) -> str:
    """Without the spaces and commas that stood around what is gone."""
    lines = (_ORPHANS.sub(",", _SPACES.sub(" ", line)).strip(" ,") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


#: What a threshold is compared with.
ThresholdScale = Literal["cosine", "percentile", "probability"]
CUSTOM = "threshold"
#: Each preset's scale and threshold. Cosines differ from model to model; percentiles mean the same for each of them.
PRESETS: Mapping[str, tuple[ThresholdScale, float]] = {
    "lenient": ("cosine", 0.20),
    "balanced": ("cosine", 0.25),
    "strict": ("cosine", 0.30),
    "percentile 90": ("percentile", 90.0),
    "percentile 95": ("percentile", 95.0),
    "percentile 99": ("percentile", 99.0),
}
AUTO = "auto"
MODES = (AUTO, "pairs", "matrix", "broadcast")


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """When a picture matches a text, and how the two are put together."""

    threshold: float = option(0.25, "Least cosine of a match", low=-1, high=1)
    mode: str = option(
        AUTO,
        "pairs: the first picture with the first text, and so on; matrix: every picture with every text; broadcast: "
        "one picture with all texts or one text with all pictures; auto: broadcast if one stands alone, else pairs",
        choices=MODES,
    )
    preset: str = option(
        CUSTOM,
        "threshold: the number above; lenient, balanced, strict: cosines of 0.20, 0.25, 0.30; percentile: how many of "
        "a hundred captions of everyday things the text must beat, which means the same for every model",
        choices=(CUSTOM, *PRESETS),
    )
    phrases: bool = option(True, "Also score each phrase of a text, to tell which part of it is missing")
    long_text: str = option(
        "mean",
        "A text longer than the model reads: mean or max of its parts, or truncate its end",
        choices=("mean", "max", "truncate"),
        advanced=True,
    )
    template: str = option(
        "{}", "Sentence around each text, such as A photo depicts {} of the CLIPScore paper", advanced=True
    )
    prompt_syntax: bool = option(True, PROMPT_SYNTAX_HELP, advanced=True)


def given_texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The texts; a string alone is one. Raises InputError for none at all, and for one that is empty or no string."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, Iterable):
        raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
    found = tuple(texts)
    if not found:
        raise InputError("no texts were given; give at least one")
    for number, text in enumerate(found, 1):
        _check(text, _which(number, len(found)))
    return found


def plain_texts(texts: Sequence[str], *, prompt_syntax: bool) -> tuple[str, ...]:
    """What the texts ask for; prompt_syntax: whether they are read as prompts, of which the syntax is left out.

    Raises InputError for a text of which nothing is left.
    """
    if not prompt_syntax:
        return tuple(texts)
    plain = tuple(map(plain_text, texts))
    for number, (given, left) in enumerate(zip(texts, plain, strict=True), 1):
        if not left.strip():
            raise InputError(
                f"{_which(number, len(plain))} is {given[:60]!r}, which holds nothing but prompt syntax; say what the "
                "picture shows, or switch prompt_syntax off to read it as it stands"
            )
    return plain


def in_template(texts: Iterable[str], options: MatchOptions) -> list[str]:
    """The texts, each in the sentence of the options; raises InputError if that has no place for one."""
    check_templates((options.template,))
    return [options.template.replace(SLOT, text) for text in texts]


def _check(text: object, which: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{which} is a {type(text).__name__}; give a string")
    if not text.strip():
        raise InputError(f"{which} is empty; say what the picture shows")


def _which(number: int, count: int) -> str:
    return f"text {number} of {count}" if count > 1 else "the text"
