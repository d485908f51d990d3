"""Finds the tokenizer of a model among the vocabularies on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Literal

from ...errors import CheckpointError
from ..checkpoints.info import CheckpointInfo
from ..finding.folders import StrPath
from .clip import clip_tokenizer
from .siglip import siglip2_tokenizer, siglip_tokenizer
from .tokenizer import FastTokenizer, Tokenizer
from .vocabularies import files_beside, files_elsewhere, files_given

#: Whose text cleaning: transformers' (the default, which needs only the ``tokenizers`` package, and which most
#: published numbers were made with), or open_clip's, which resolves HTML entities and, with ftfy, repairs text. They
#: differ only on entities, curly quotes and broken encodings.
Style = Literal["transformers", "open_clip"]
_MAKERS: dict[str, Callable[..., FastTokenizer]] = {
    "clip": clip_tokenizer,
    "longclip": clip_tokenizer,
    "siglip": siglip_tokenizer,
    "siglip2": siglip2_tokenizer,
    "naflex": siglip2_tokenizer,
}
#: Tokens that a vocabulary may have beyond the model's: T5's ends with a hundred sentinels that no text produces.
_SPARE = {"siglip": 100}
_CURES = {
    "clip": "put its tokenizer.json (or vocab.json and merges.txt) beside it, or give the folder of ComfyUI, which has "
    "CLIP's own; ComfyUI, the cache of Hugging Face and the packages open_clip and clip were searched too",
    "siglip": "put its tokenizer.json or spiece.model beside it, or the first as {sidecar}; the cache of Hugging Face "
    "was searched too",
    "siglip2": "put its tokenizer.json beside it, or as {sidecar}; the cache of Hugging Face was searched too",
}
_CURES |= {"longclip": _CURES["clip"], "naflex": _CURES["siglip2"]}


def find_tokenizer(
    info: CheckpointInfo,
    *,
    given: StrPath | None = None,
    search: Sequence[StrPath] = (),
    style: Style = "transformers",
) -> Tokenizer:
    """The model's tokenizer: beside its file, else in the folders to search, else where other programs keep theirs.

    given: a vocabulary or its folder to use instead. search: folders with a vocabulary, or of a ComfyUI.
    A vocabulary fits if it has as many tokens as the model; the model's own, or a given one, may have fewer.
    Raises CheckpointError if the model has no text side or none is found, MissingPackage without ``tokenizers``.
    """
    if info.text is None or info.family not in _MAKERS:
        raise CheckpointError(str(info.path), "it reads no text; choose a model with a text encoder")
    refused: list[str] = []
    is_siglip = info.family not in ("clip", "longclip")
    # only the state of the end of a text in a causal encoder does not depend on the padding
    sees_padding = not is_siglip and (info.is_causal is False or info.text_pool not in (None, "end"))
    canonicalises = info.text_cleaning == "canonicalize"
    options = {"as_open_clip": style == "open_clip" or (is_siglip and canonicalises)}
    if not is_siglip:
        options |= {"trims": not sees_padding, "canonicalises": canonicalises}
    searched = chain(files_beside(info), files_elsewhere(siglip=is_siglip, search=search))
    for files in searched if given is None else files_given(given):
        try:
            tokenizer = _MAKERS[info.family](files, info.text.context, **options)
        except CheckpointError as error:
            refused.append(str(error))
            continue
        excess = tokenizer.size - info.text.vocabulary
        if excess <= _SPARE.get(info.family, 0) and (files.is_own or excess >= 0):
            return tokenizer
        refused.append(f"{files.path}: it has {tokenizer.size}")
    if given is not None:
        refused = refused or [f"there is none in {given}"]
    cure = _CURES[info.family].format(sidecar=f"{info.path.stem}.tokenizer.json")
    why = f" ({'; '.join(refused)})" if refused else ""
    raise CheckpointError(str(info.path), f"there is no vocabulary for its {info.text.vocabulary} tokens{why}; {cure}")
