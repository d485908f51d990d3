"""A prompt for picture generators as the plain text that it asks for."""

from __future__ import annotations

import re

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
