"""CLIP's tokenizer: byte-level BPE with a mark for the end of a word."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CheckpointError
from .fast_tokenizer import FastTokenizer, Frame, as_given, lower, reading, tokenizers_package
from .vocabularies import TokenFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Words
    from tokenizers.models import BPE


#: OpenAI's names of the marks.
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
#: Those and open_clip's.
_BEGINNINGS = (BEGIN, "<start_of_text>")
_ENDS = (END, "<end_of_text>")
#: How a text is taken apart.
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
#: Of the merges in OpenAI's file only the first are used; with 512 letters and 2 marks they make 49,408 tokens.
_MERGES = 49152 - 256 - 2


def clip_tokenizer(files: TokenFiles, context: int, *, as_open_clip: bool = False) -> FastTokenizer:
    """CLIP's tokenizer by transformers' rules, or by open_clip's.

    Raises CheckpointError for files that are no vocabulary of CLIP.
    """
    words = _words(files)
    begin, end = (_mark(words, names, files.path) for names in (_BEGINNINGS, _ENDS))
    if as_open_clip:
        _split_as_open_clip(words)
    frame = Frame(begin=(begin,), end=(end,), pad=end, context=context, trims=True)
    return FastTokenizer(words, frame, lower if as_open_clip else as_given)


def _words(files: TokenFiles) -> Words:
    package = tokenizers_package()
    with reading(files.path):
        if files.kind == "tokenizer.json":
            words: Words = package.Tokenizer.from_file(str(files.path))
            return words
        words = package.Tokenizer(_bpe(files))
    _split_as_transformers(words)
    return words


def _bpe(files: TokenFiles) -> BPE:
    from tokenizers.models import BPE

    if files.kind == "openai":
        vocabulary, merges = _openai_vocabulary(files.path)
        return BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=END)
    return BPE.from_file(str(files.path), str(files.merges), end_of_word_suffix="</w>", unk_token=END)


def _openai_vocabulary(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(ids by token, merges) of the file that OpenAI published: letters, letters that end words, merges, marks.

    Source: openai/CLIP, ``simple_tokenizer.py``.
    """
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines) if second]
    if not merges:
        raise ValueError("it has no merges")
    return vocabulary_of(merges), merges


def vocabulary_of(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The id of each token: letters, letters that end words, merges, and the marks of beginning and end."""
    letters = list(byte_letters().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges), BEGIN, END]
    return {token: index for index, token in enumerate(tokens)}


def byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte, in the order of OpenAI's vocabulary.

    Bytes that are printable in Latin-1 stand for themselves, the others for letters from U+0100 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def _mark(words: Words, names: tuple[str, ...], path: Path) -> int:
    for name in names:
        index: int | None = words.token_to_id(name)
        if index is not None:
            return index
    raise CheckpointError(str(path), f"no vocabulary of CLIP: it lacks {names[0]}; put the model's own files there")


def _split_as_transformers(words: Words) -> None:
    """Source: transformers, ``CLIPTokenizer``."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    words.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    pieces = pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True)
    words.pre_tokenizer = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def _split_as_open_clip(words: Words) -> None:
    """Without a normaliser, and each piece as it is; source: open_clip, ``SimpleTokenizer``."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    words.normalizer = normalizers.Sequence([])
    # it ignores case, and so loses the one mark (U+0345) that is a letter in another case
    regex = Regex(PIECES.replace(r"\p{N}]+", r"\p{N}\x{345}]+"))
    pieces = pre_tokenizers.Split(regex, behavior="removed", invert=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words.pre_tokenizer = pre_tokenizers.Sequence([pieces, letters])
