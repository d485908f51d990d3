"""How open_clip cleans a text before it is split, where that differs from transformers."""

from __future__ import annotations

import hashlib
import html
import importlib
import importlib.util
import re
import string
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...errors import CheckpointError, InputError, MissingPackage
from .tokenizer import TokenizedText

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as Words


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


#: Halves of characters that stand alone, as in file names that are not UTF-8.
_SURROGATES = re.compile("[\ud800-\udfff]")
_SHOWN = 40
_FILE_ERRORS = (OSError, ValueError, EOFError, zlib.error)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around a text's own tokens."""

    begin: tuple[int, ...] = ()
    end: tuple[int, ...]
    pad: int
    #: Tokens in all.
    context: int
    #: Whether a batch may be cut to its longest text.
    trims: bool


class FastTokenizer:
    """Words to ids by the ``tokenizers`` package, framed and cut by us."""

    def __init__(self, words: Words, frame: Frame, clean: Callable[[str], str]) -> None:
        # the marks are ours to set: nothing in a text may end it early, whatever the file says of them
        words.add_special_tokens([words.id_to_token(mark) for mark in (*frame.begin, *frame.end, frame.pad)])
        words.encode_special_tokens = True
        words.no_truncation()
        words.no_padding()
        self._words = words
        self._frame = frame
        self._clean = clean

    @property
    def context(self) -> int:
        """Tokens that a text may have, with its marks."""
        return self._frame.context

    @property
    def marks(self) -> int:
        """How many ids frame a text."""
        return len(self._frame.begin) + len(self._frame.end)

    @property
    def trims(self) -> bool:
        """Whether a batch may be as short as its longest text."""
        return self._frame.trims

    @property
    def size(self) -> int:
        """Tokens of the vocabulary."""
        # ids may have gaps; the marks stand at the end
        highest = max(*self._frame.begin, *self._frame.end, self._frame.pad)
        return max(int(self._words.get_vocab_size()), highest + 1)

    @property
    def pad_id(self) -> int:
        """What fills a batch behind a text's end."""
        return self._frame.pad

    @cached_property
    def fingerprint(self) -> str:
        """Of the vocabulary, the rules, the cleaning and the frame."""
        parts = (self._words.to_str(), self._clean.__name__, repr(self._frame))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def encode(self, texts: Sequence[str], *, allow_empty: bool = False) -> list[TokenizedText]:
        """The ids of each text; see Tokenizer."""
        given = _checked(texts)
        readable = [self.read(text) for text in given]
        encodings = self._words.encode_batch(readable, add_special_tokens=False)
        found = [self._framed(*parts) for parts in zip(given, readable, encodings, strict=True)]
        if not allow_empty:
            self._check_filled(found)
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token begins and ends in ``read(text)``."""
        offsets: list[tuple[int, int]] = self._words.encode(self.read(text), add_special_tokens=False).offsets
        return offsets

    def read(self, text: str) -> str:
        """The text as it goes into the tokenizer."""
        return self._clean(_SURROGATES.sub("\ufffd", text))

    def _framed(self, text: str, readable: str, encoding: Encoding) -> TokenizedText:
        ids: list[int] = encoding.ids
        room = self.context - self.marks
        dropped = ""
        if len(ids) > room:
            start = encoding.offsets[room][0]
            dropped = readable[start:].strip()
        return TokenizedText(text, (*self._frame.begin, *ids[:room], *self._frame.end), dropped)

    def _check_filled(self, found: list[TokenizedText]) -> None:
        for index, tokenized in enumerate(found):
            if len(tokenized.ids) == self.marks:
                shown = tokenized.text[:_SHOWN]
                why = f"{shown!r} has nothing that the model reads" if shown.strip() else "is empty"
                raise InputError(f"text {index} {why}; give it words or leave it out")


def _checked(texts: Sequence[str]) -> Sequence[str]:
    if isinstance(texts, str):
        raise InputError("texts is one string; give a list of strings")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {index} is {type(text).__name__}, not a string; give strings alone")
    return texts


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Any error that the package has with a file as a CheckpointError."""
    try:
        yield
    except Exception as error:
        # the package raises Exception itself for whatever it cannot read
        if type(error) is not Exception and not isinstance(error, _FILE_ERRORS):
            raise
        raise CheckpointError(str(path), f"cannot be read as a vocabulary ({error}); fetch the file again") from error


def tokenizers_package() -> ModuleType:
    """The ``tokenizers`` package; raises MissingPackage without it."""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingPackage(
            "texts need the package tokenizers, which is not installed; install it with: pip install tokenizers"
        ) from error
    return tokenizers
