"""Texts to token ids: the tokenizer that all families share, batches of ids, and long texts in parts."""

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
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, InputError, MissingPackage

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as PackageTokenizer

#: Lone surrogates, as in file names that are not UTF-8.
_SURROGATES = re.compile("[\ud800-\udfff]")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SHOWN = 40
_FILE_ERRORS = (OSError, ValueError, EOFError, zlib.error)
#: Where a text may be cut, the best first: after sentences and lines, clauses, words.
_BREAKS = (
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\n+"),
    re.compile(r"[,;:]\s+|[，、；：]|\s[-–—|]+\s+"),
    re.compile(r"\s+"),
)
#: A cut after a sentence or clause must fill this share of the context, or parts would be many and short.
_LEAST_FILL = 0.5


@dataclass(frozen=True)
class TokenizedText:
    """One text as token ids."""

    #: The text as given.
    text: str
    #: With the special tokens of beginning and end, not padded.
    ids: tuple[int, ...]
    #: The end of the text that did not fit; empty if all of it did.
    dropped: str = ""


class Tokenizer(Protocol):
    """What turns texts into the token ids of one model."""

    @property
    def context(self) -> int:
        """The context length: tokens that a text may have, special tokens included."""

    @property
    def marks(self) -> int:
        """How many special tokens each text has."""

    @property
    def trims(self) -> bool:
        """Whether a batch may be cut to its longest text with identical results, as with a causal text encoder."""

    @property
    def pad_id(self) -> int:
        """The padding token, after the end of a text."""

    @property
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids."""

    def encode(self, texts: Sequence[str], *, allow_empty: bool = False) -> list[TokenizedText]:
        """The ids of each text, cut to the context; special tokens are kept, and what was cut off is in ``dropped``.

        Names of special tokens inside a text are plain text. Raises InputError, naming its number, for what is no
        string, and for a text without a single token unless ``allow_empty``.
        """

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the whole text begins and ends in ``cleaned(text)``, without special tokens."""

    def cleaned(self, text: str) -> str:
        """The text that the spans refer to: cleaned up as this tokenizer does before it splits a text."""


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """The special tokens around the tokens of a text, and the context length."""

    begin: tuple[int, ...] = ()
    end: tuple[int, ...]
    pad: int
    #: Tokens of a text at most, special tokens included.
    context: int
    #: Whether a batch may be cut to its longest text.
    trims: bool


class FastTokenizer:
    """A ``Tokenizer`` by the ``tokenizers`` package, with special tokens and truncation as the model wants them."""

    def __init__(self, package: PackageTokenizer, special: SpecialTokens, clean: Callable[[str], str]) -> None:
        # whatever the file says of special tokens: none of them may come out of a text
        package.add_special_tokens(
            [package.id_to_token(token) for token in (*special.begin, *special.end, special.pad)]
        )
        package.encode_special_tokens = True
        package.no_truncation()
        package.no_padding()
        self._package = package
        self._special = special
        self._clean = clean
        self.context, self.trims, self.pad_id = special.context, special.trims, special.pad
        self.marks = len(special.begin) + len(special.end)

    @property
    def size(self) -> int:
        """Tokens of the vocabulary."""
        # ids may have gaps, and special tokens may lie above the vocabulary
        highest = max(*self._special.begin, *self._special.end, self._special.pad)
        return max(int(self._package.get_vocab_size()), highest + 1)

    @property
    def special(self) -> SpecialTokens:
        """The special tokens."""
        return self._special

    @property
    def vocabulary(self) -> dict[str, int]:
        """The id of each token, special ones included."""
        return dict(self._package.get_vocab())

    def to_json(self) -> str:
        """The content of a ``tokenizer.json``."""
        return str(self._package.to_str())

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the vocabulary, the rules, the cleaning and the special tokens."""
        parts = (self._package.to_str(), self._clean.__name__, repr(self._special))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def encode(self, texts: Sequence[str], *, allow_empty: bool = False) -> list[TokenizedText]:
        if isinstance(texts, str):
            raise InputError("texts is one string; give a list of strings")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"text {index} is {type(text).__name__}, not a string; give strings alone")
        readable = [self.cleaned(text) for text in texts]
        encodings = self._package.encode_batch(readable, add_special_tokens=False)
        tokenized = [self._tokenized(*parts) for parts in zip(texts, readable, encodings, strict=True)]
        for index, text in enumerate(texts):
            if len(tokenized[index].ids) == self.marks and not allow_empty:
                why = f"{text[:_SHOWN]!r} has nothing that the model reads" if text[:_SHOWN].strip() else "is empty"
                raise InputError(f"text {index} {why}; give it words or leave it out")
        return tokenized

    def spans(self, text: str) -> list[tuple[int, int]]:
        offsets: list[tuple[int, int]] = self._package.encode(self.cleaned(text), add_special_tokens=False).offsets
        return offsets

    def cleaned(self, text: str) -> str:
        return self._clean(_SURROGATES.sub("\ufffd", text))

    def _tokenized(self, text: str, readable: str, encoding: Encoding) -> TokenizedText:
        ids: list[int] = encoding.ids
        most = self.context - self.marks
        dropped = readable[encoding.offsets[most][0] :].strip() if len(ids) > most else ""
        return TokenizedText(text, (*self._special.begin, *ids[:most], *self._special.end), dropped)


def batch_of(texts: Sequence[TokenizedText], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids [B, L], ends [B]) for a text encoder, which may pool the state of the end.

    Where texts may be trimmed, L is that of the longest, else the whole context. The end is the end-of-text token.
    """
    if not texts:
        raise InputError("there is no text to put into a batch; give at least one")
    length = max(len(text.ids) for text in texts) if tokenizer.trims else tokenizer.context
    ids = np.full((len(texts), length), tokenizer.pad_id, np.int64)  # [B, L]
    for row, text in zip(ids, texts, strict=True):
        row[: len(text.ids)] = text.ids
    ends = [len(text.ids) - 1 for text in texts]
    return ids, np.array(ends, np.int64)


def chunks(text: str, tokenizer: Tokenizer) -> list[TokenizedText]:
    """The parts of a text, in order, each with its special tokens and nothing dropped; ``text`` is the part itself.

    Parts without a token are left out. The weight of a part is ``len(part.ids) - tokenizer.marks``.
    Raises InputError for a text without a single token.
    """
    whole = tokenizer.encode([text])
    if not whole[0].dropped:
        return whole
    parts = tokenizer.encode(split_long(text, tokenizer), allow_empty=True)
    return [part for part in parts if len(part.ids) > tokenizer.marks]


def split_long(text: str, tokenizer: Tokenizer) -> list[str]:
    """The text in parts of at most the context, cut after sentences, else clauses, else words, else characters."""
    return _fitting(tokenizer.cleaned(text), tokenizer, tokenizer.context - tokenizer.marks)


def _fitting(text: str, tokenizer: Tokenizer, most: int) -> list[str]:
    """The text in parts of at most ``most`` spans that fit the context."""
    parts = _cut(text, tokenizer.spans(text), most)
    if parts == [text] and len(text.encode("utf-8", "replace")) <= most:
        # no token is shorter than a byte
        return parts
    if parts == [text] and most == 1 and len(text) > 1:
        parts = [text[: len(text) // 2], text[len(text) // 2 :]]
    fitting: list[str] = []
    # tokens at a cut may differ from those of the whole text, and a character may be several tokens of one span
    for part, tokenized in zip(parts, tokenizer.encode(parts, allow_empty=True), strict=True):
        fitting += _fitting(part, tokenizer, max(1, most - 1)) if tokenized.dropped and len(part) > 1 else [part]
    return fitting


def _cut(text: str, spans: list[tuple[int, int]], most: int) -> list[str]:
    cuts = [0]
    first = 0
    while len(spans) - first > most:
        limit = max(spans[first + most][0], cuts[-1] + 1)
        cuts.append(_best_cut(text, cuts[-1], limit))
        first = next((i for i in range(first, len(spans)) if spans[i][0] >= cuts[-1]), len(spans))
    parts = (text[start:end].strip() for start, end in pairwise([*cuts, len(text)]))
    return [part for part in parts if part]


def _best_cut(text: str, start: int, limit: int) -> int:
    """The end of the last break of the best kind between start and limit; the limit where there is none."""
    for breaks, least in zip(_BREAKS, (_LEAST_FILL, _LEAST_FILL, 0.0), strict=True):
        ends = [match.end() for match in breaks.finditer(text, start, limit)]
        if ends and ends[-1] - start > least * (limit - start):
            return ends[-1]
    return limit


def unchanged(text: str) -> str:
    """The text unchanged, as transformers takes it."""
    return text


def lower_case(text: str) -> str:
    """open_clip's cleaning for CLIP: repaired, HTML entities resolved, white space collapsed, lower case."""
    return " ".join(_repaired(text).split()).lower()


def canonical(text: str) -> str:
    """open_clip's cleaning for SigLIP: also without punctuation, an underscore being a space."""
    return " ".join(_repaired(text).replace("_", " ").translate(_PUNCTUATION).lower().split())


def _repaired(text: str) -> str:
    """HTML entities resolved, and with ftfy, if it is installed, broken encodings and curly quotes repaired."""
    if importlib.util.find_spec("ftfy") is not None:
        text = importlib.import_module("ftfy").fix_text(text)
    return html.unescape(html.unescape(text)).strip()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns any error of the package with a file into a CheckpointError."""
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
