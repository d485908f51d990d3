"""The tokenizers of SigLIP and SigLIP 2, from tokenizer.json or from a sentencepiece model.

A ``spiece.model`` is read here, so that the package sentencepiece is not needed.
"""

from __future__ import annotations

import os
import re
import string
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CheckpointError
from ..checkpoints.weight_files import read_json
from .tokenizer import FastTokenizer, SpecialTokens, canonical, reading, tokenizers_package, unchanged
from .vocabularies import TokenFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer as PackageTokenizer
    from tokenizers.normalizers import Normalizer

_NORMAL, _UNKNOWN, _USER_DEFINED, _BYTE = 1, 2, 4, 6
#: Types of pieces that text consists of; the others are special tokens that no text may produce.
_READABLE = (_NORMAL, _USER_DEFINED, _BYTE)
_UNIGRAM = 1
#: Below the score of every real piece, so that no text becomes a special token.
_NEVER = -1e6
_VARINT_BITS = 63
_FIXED = {1: 8, 5: 4}


def read_unigram(path: Path) -> PackageTokenizer:
    """The tokenizer of the file, without special tokens; raises CheckpointError for a damaged file or another kind."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    try:
        pieces, model_type, charsmap = _parsed(path.read_bytes())
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise CheckpointError(str(path), f"no model of sentencepiece ({error}); fetch the file again") from error
    if model_type != _UNIGRAM:
        raise CheckpointError(str(path), "a model of sentencepiece that is not unigram; put tokenizer.json beside it")
    kinds = [kind for _, _, kind in pieces]
    unknown = kinds.index(_UNKNOWN) if _UNKNOWN in kinds else None
    scored = [(piece, score if kind in _READABLE else _NEVER) for piece, score, kind in pieces]
    with reading(path):
        package = Tokenizer(models.Unigram(scored, unknown, _BYTE in kinds))
        steps: list[Normalizer] = [normalizers.Precompiled(charsmap)] if charsmap else []
        package.normalizer = normalizers.Sequence(
            [*steps, normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(left=True, right=True)]
        )
        package.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return package


def _parsed(content: bytes) -> tuple[list[tuple[str, float, int]], int, bytes]:
    """(piece, score, type) by id, the type of the model, and the compiled character map of its normaliser.

    Source: sentencepiece, ``sentencepiece_model.proto``: 1 pieces, 2 trainer_spec, 3 normalizer_spec.
    """
    pieces = []
    model_type, charsmap = _UNIGRAM, b""
    for number, value in _fields(content):
        if number == 1:
            pieces.append(_piece(_bytes(value)))
        elif number == 2:
            model_type = next((kind for n, kind in _fields(_bytes(value)) if n == 3 and isinstance(kind, int)), 1)
        elif number == 3:
            charsmap = next((_bytes(table) for n, table in _fields(_bytes(value)) if n == 2), b"")
    if not pieces:
        raise ValueError("it has no pieces")
    return pieces, model_type, charsmap


def _piece(content: bytes) -> tuple[str, float, int]:
    """(piece, score, type): fields 1, 2 and 3."""
    fields = dict(_fields(content))
    (score,) = struct.unpack("<f", _bytes(fields.get(2, bytes(4))))
    kind = fields.get(3, _NORMAL)
    return _bytes(fields.get(1, b"")).decode("utf-8"), score, kind if isinstance(kind, int) else _NORMAL


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a field has another type than it should")
    return value


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol buffer; fixed-size values as their bytes."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire not in (2, *_FIXED):
            raise ValueError(f"a field of unknown type {wire}")
        size, at = _varint(content, at) if wire == 2 else (_FIXED[wire], at)
        if at + size > len(content):
            raise ValueError("it ends too early")
        yield number, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """(value, position after it) of a number in groups of seven bits, the lowest first."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > _VARINT_BITS:
            raise ValueError("a number without an end")


#: Padding and end-of-text tokens, unless a configuration names others.
_SIGLIP_TOKENS = ("</s>", "</s>")
_SIGLIP2_TOKENS = ("<pad>", "<eos>")
#: Tokens that distinguish a vocabulary of Gemma from one of T5.
_GEMMA_TOKENS = ("<bos>", "<eos>", "<pad>")
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
#: White space as Python defines it, and sentencepiece's sign for it.
_SPACE = r"[\s\x1c-\x1f▁]+"
#: Python's lower case of a sigma at the end of a word differs from that inside a word.
_LAST_SIGMA = r"(?<=\p{L})Σ(?!\p{L})"


def siglip_tokenizer(files: TokenFiles, context: int, *, as_open_clip: bool = False) -> FastTokenizer:
    """SigLIP's tokenizer: lower case, punctuation removed, spaces collapsed, padded on the right to the context.

    A vocabulary of Gemma is read as for SigLIP 2, whatever the number of its tokens.
    Source: big_vision, ``canonicalize_text``, as in transformers' ``SiglipTokenizer``.
    """
    package = _package(files)
    is_gemma = all(package.token_to_id(name) is not None for name in _GEMMA_TOKENS)
    return _tokenizer(package, files, context, as_open_clip, is_gemma)


def siglip2_tokenizer(files: TokenFiles, context: int, *, as_open_clip: bool = False) -> FastTokenizer:
    """SigLIP 2's tokenizer: Gemma's in lower case, as in its training, padded on the right to the context."""
    return _tokenizer(_package(files), files, context, as_open_clip, is_gemma=True)


def _package(files: TokenFiles) -> PackageTokenizer:
    tokenizers = tokenizers_package()
    if files.kind not in ("spiece.model", "tokenizer.json"):
        raise CheckpointError(str(files.path), "a vocabulary of CLIP, not of SigLIP; put its tokenizer.json there")
    if files.kind == "spiece.model":
        return read_unigram(files.path)
    with reading(files.path):
        package: PackageTokenizer = tokenizers.Tokenizer.from_file(str(files.path))
        return package


def _tokenizer(
    package: PackageTokenizer, files: TokenFiles, context: int, as_open_clip: bool, is_gemma: bool
) -> FastTokenizer:
    """A tokenizer that normalises by the first steps, then by its own."""
    normalizers = tokenizers_package().normalizers
    first = [normalizers.Lowercase()] if is_gemma else _canonical_steps()
    own = [package.normalizer] if package.normalizer else []
    package.normalizer = normalizers.Sequence([*first, *own])
    pad, end = _pad_and_end(package, files.path, _SIGLIP2_TOKENS if is_gemma else _SIGLIP_TOKENS)
    special = SpecialTokens(end=(end,), pad=pad, context=context, trims=False)
    return FastTokenizer(package, special, canonical if as_open_clip else unchanged)


def _canonical_steps() -> list[Normalizer]:
    """``canonicalize_text`` as steps of the tokenizer, so that the spans of tokens stay known."""
    regex, normalizers = tokenizers_package().Regex, tokenizers_package().normalizers
    punctuation = "".join(map(re.escape, string.punctuation))
    return [
        normalizers.Replace(regex(_LAST_SIGMA), "ς"),
        normalizers.Lowercase(),
        normalizers.Replace(regex(_SPACE), " "),
        normalizers.Replace(regex(f"[{punctuation}]"), ""),
        normalizers.Replace(regex(" +"), " "),
        normalizers.Strip(),
    ]


def _pad_and_end(package: PackageTokenizer, path: Path, default: tuple[str, str]) -> tuple[int, int]:
    """(pad, end) as the configuration beside the vocabulary names them, else by default."""
    names: dict[str, str] = {}
    for config in (path.with_name(name) for name in _CONFIGS):
        content = read_json(config) if os.path.lexists(config) else {}
        for key in ("pad_token", "eos_token"):
            value = content.get(key)
            token = value.get("content") if isinstance(value, dict) else value
            if isinstance(token, str):
                names.setdefault(key, token)
    pad, end = names.get("pad_token", default[0]), names.get("eos_token", default[1])
    pad_id, end_id = package.token_to_id(pad), package.token_to_id(end)
    if pad_id is None or end_id is None:
        raise CheckpointError(str(path), f"no vocabulary of SigLIP: it lacks {pad if pad_id is None else end}")
    return pad_id, end_id
