"""CLIP's tokenizer, byte-level BPE with an end-of-word suffix, and those of MetaCLIP 2, which are XLM-V's and mT5's."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CheckpointError
from .tokenizer import FastTokenizer, SpecialTokens, canonical, lower_case, reading, tokenizers_package, unchanged
from .vocabularies import TokenFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer as PackageTokenizer

#: OpenAI's names of the special tokens.
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
#: The name in the vocabularies of sentencepiece.
PAD = "<pad>"
#: OpenAI's and open_clip's names.
_BEGINNINGS = (BEGIN, "<start_of_text>")
_ENDS = (END, "<end_of_text>")
#: The pieces that a text is split into before BPE.
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
#: Only the first merges of OpenAI's file are used; with 512 letters and 2 special tokens they make 49,408 tokens.
_MERGES = 49152 - 256 - 2
_BPE_OPTIONS = {"end_of_word_suffix": "</w>", "unk_token": END}


def clip_tokenizer(
    files: TokenFiles,
    context: int,
    *,
    as_open_clip: bool = False,
    trims: bool = True,
    canonicalises: bool = False,
) -> FastTokenizer:
    """CLIP's tokenizer by transformers' rules, or by open_clip's; that of MetaCLIP 2 as its tokenizer.json says.

    trims: False for an encoder that sees the padding, which then is that of open_clip: zeros up to the context.
    canonicalises: texts are cleaned as open_clip does for SigLIP.
    Raises CheckpointError for files that are no vocabulary of CLIP.
    """
    tokenizers = tokenizers_package()
    with reading(files.path):
        if files.kind == "tokenizer.json":
            package: PackageTokenizer = tokenizers.Tokenizer.from_file(str(files.path))
        elif files.kind == "openai":
            package = tokenizers.Tokenizer(tokenizers.models.BPE(*_openai_vocabulary(files.path), **_BPE_OPTIONS))
        else:
            merges = files.path.with_name("merges.txt")
            bpe = tokenizers.models.BPE.from_file(str(files.path), str(merges), **_BPE_OPTIONS)
            package = tokenizers.Tokenizer(bpe)
    if files.kind == "tokenizer.json" and not any(package.token_to_id(name) is not None for name in _BEGINNINGS):
        clean = canonical if canonicalises else unchanged
        return FastTokenizer(package, _added_tokens(package, files.path, context, trims), clean)
    begin, end = (_special_token(package, names, files.path) for names in (_BEGINNINGS, _ENDS))
    if as_open_clip or files.kind != "tokenizer.json":
        _split(package, as_open_clip)
    special = SpecialTokens(begin=(begin,), end=(end,), pad=end if trims else 0, context=context, trims=trims)
    usual = lower_case if as_open_clip else unchanged
    return FastTokenizer(package, special, canonical if canonicalises else usual)


def _added_tokens(package: PackageTokenizer, path: Path, context: int, trims: bool) -> SpecialTokens:
    """The tokens that the file itself adds before and after a text; raises CheckpointError if it adds no end."""
    whole, bare = package.encode("a").ids, package.encode("a", add_special_tokens=False).ids
    starts = (start for start in range(len(whole)) if whole[start : start + len(bare)] == bare)
    start = next(starts, None) if bare else None
    if start is None or not whole[start + len(bare) :]:
        reason = f"no vocabulary of CLIP: it lacks {BEGIN} and adds no end to a text; put the model's own files there"
        raise CheckpointError(str(path), reason)
    end = tuple(whole[start + len(bare) :])
    pad = package.token_to_id(PAD)
    return SpecialTokens(
        begin=tuple(whole[:start]), end=end, pad=end[-1] if pad is None else pad, context=context, trims=trims
    )


def _openai_vocabulary(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(ids by token, merges) of OpenAI's file: letters, letters that end words, merges, special tokens.

    Source: openai/CLIP, ``simple_tokenizer.py``.
    """
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines) if second]
    if not merges:
        raise ValueError("it has no merges")
    return vocabulary_of(merges), merges


def vocabulary_of(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The id of each token: letters, letters that end words, merges, and the special tokens of beginning and end."""
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


def _special_token(package: PackageTokenizer, names: tuple[str, ...], path: Path) -> int:
    for name in names:
        index: int | None = package.token_to_id(name)
        if index is not None:
            return index
    raise CheckpointError(str(path), f"no vocabulary of CLIP: it lacks {names[0]}; put the model's own files there")


def _split(package: PackageTokenizer, as_open_clip: bool) -> None:
    """Normalises and splits as transformers' ``CLIPTokenizer``, or as open_clip's ``SimpleTokenizer``.

    open_clip's has no normaliser and takes each piece as it is.
    """
    from tokenizers import Regex, normalizers, pre_tokenizers

    if as_open_clip:
        # its pattern ignores case, so U+0345, whose upper case is a letter, counts as one
        steps, pattern = [], PIECES.replace(r"\p{N}]+", r"\p{N}\x{345}]+")
    else:
        steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        pattern = PIECES
    package.normalizer = normalizers.Sequence(steps)
    pieces = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not as_open_clip)
    package.pre_tokenizer = pre_tokenizers.Sequence([pieces, letters])
