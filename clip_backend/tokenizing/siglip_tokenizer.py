"""SigLIP's tokenizers: sentencepiece without punctuation for the first, Gemma's in lower case for the second."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CheckpointError
from .fast_tokenizer import FastTokenizer, Frame, reading, tokenizers_package
from .sentencepiece_model import read_unigram
from .text_cleaning import as_given, canonical
from .token_files import TokenFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Words
    from tokenizers.normalizers import Normalizer

#: What fills a text up and what ends it, where no configuration tells.
_SIGLIP_MARKS = ("</s>", "</s>")
_SIGLIP2_MARKS = ("<pad>", "<eos>")
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
#: White space as Python sees it, and the mark that sentencepiece has for it.
_SPACE = r"[\s\x1c-\x1f▁]+"
#: Python's lower case has another sigma at the end of a word than inside.
_LAST_SIGMA = r"(?<=\p{L})Σ(?!\p{L})"


def siglip_tokenizer(files: TokenFiles, context: int, *, as_open_clip: bool = False) -> FastTokenizer:
    """The first SigLIP's: lower case, punctuation removed, spaces collapsed, filled up to the context.

    Source: big_vision, ``canonicalize_text``, as in transformers' ``SiglipTokenizer``.
    """
    words = _words(files)
    _put_before(words, _canonical_steps())
    return _framed(words, files.path, _SIGLIP_MARKS, context, as_open_clip)


def siglip2_tokenizer(files: TokenFiles, context: int, *, as_open_clip: bool = False) -> FastTokenizer:
    """SigLIP2's: Gemma's in lower case, as it was trained, filled up to the context on the right."""
    words = _words(files)
    _put_before(words, [tokenizers_package().normalizers.Lowercase()])
    return _framed(words, files.path, _SIGLIP2_MARKS, context, as_open_clip)


def _words(files: TokenFiles) -> Words:
    package = tokenizers_package()
    if files.kind == "spiece.model":
        return read_unigram(files.path)
    if files.kind != "tokenizer.json":
        raise CheckpointError(str(files.path), "a vocabulary of CLIP, not of SigLIP; put its tokenizer.json there")
    with reading(files.path):
        words: Words = package.Tokenizer.from_file(str(files.path))
    return words


def _canonical_steps() -> list[Normalizer]:
    """As steps of the tokenizer, which keeps track of where each letter comes from."""
    from tokenizers import Regex, normalizers

    punctuation = "".join(map(re.escape, string.punctuation))
    return [
        normalizers.Replace(Regex(_LAST_SIGMA), "ς"),
        normalizers.Lowercase(),
        normalizers.Replace(Regex(_SPACE), " "),
        normalizers.Replace(Regex(f"[{punctuation}]"), ""),
        normalizers.Replace(Regex(" +"), " "),
        normalizers.Strip(),
    ]


def _put_before(words: Words, steps: list[Normalizer]) -> None:
    from tokenizers import normalizers

    own = [words.normalizer] if words.normalizer else []
    words.normalizer = normalizers.Sequence([*steps, *own])


def _framed(words: Words, path: Path, default: tuple[str, str], context: int, as_open_clip: bool) -> FastTokenizer:
    pad, end = _marks(words, path, default)
    frame = Frame(end=(end,), pad=pad, context=context, trims=False)
    return FastTokenizer(words, frame, canonical if as_open_clip else as_given)


def _marks(words: Words, path: Path, default: tuple[str, str]) -> tuple[int, int]:
    """(pad, end) as the configuration beside the vocabulary names them."""
    named = _named_marks(path.parent)
    ids = []
    for key, name in zip(("pad_token", "eos_token"), default, strict=True):
        index = words.token_to_id(named.get(key, name))
        if index is None:
            raise CheckpointError(str(path), f"no vocabulary of SigLIP: it lacks {named.get(key, name)}")
        ids.append(index)
    return ids[0], ids[1]


def _named_marks(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _CONFIGS:
        try:
            content = json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise CheckpointError(str(folder / name), f"cannot be read ({error}); fetch it again") from error
        for key in ("pad_token", "eos_token"):
            value = content.get(key) if isinstance(content, dict) else None
            token = value.get("content") if isinstance(value, dict) else value
            if isinstance(token, str):
                found.setdefault(key, token)
    return found
