"""Where vocabularies are: beside a model, in folders to search, and where other programs keep CLIP's own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..checkpoints.info import CheckpointInfo
from ..finding.folders import StrPath, detect_comfyui_installation, hub_cache, resolve_path

OPENAI_MERGES = "bpe_simple_vocab_16e6.txt.gz"
#: Packages that carry OpenAI's vocabulary.
_PACKAGES = ("open_clip", "clip")
#: Where ComfyUI keeps CLIP's vocabulary, relative to its folder.
_COMFYUI = Path("comfy", "sd1_tokenizer")
#: Folders in the cache of the hub whose models have the same vocabulary.
_CLIP_MODELS = ("models--openai--clip-*", "models--laion--CLIP-*")
_SIGLIP_MODELS = ("models--google--siglip*", "models--timm--*SigLIP*")
Kind = Literal["tokenizer.json", "vocab.json", "openai", "spiece.model"]
_KINDS: dict[str, Kind] = {".json": "tokenizer.json", ".gz": "openai", ".model": "spiece.model"}


@dataclass(frozen=True)
class TokenFiles:
    """A vocabulary on disk; that of a ``vocab.json`` has its ``merges.txt`` beside it."""

    kind: Kind
    path: Path
    #: Whether it can only be this model's own; it may then have fewer tokens than the model's embedding has rows.
    is_own: bool = False


def files_in(folder: Path) -> Iterator[TokenFiles]:
    """The vocabularies in a folder, the most complete kind first."""
    if (folder / "tokenizer.json").is_file():
        yield TokenFiles("tokenizer.json", folder / "tokenizer.json")
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        yield TokenFiles("vocab.json", folder / "vocab.json")
    if (folder / "spiece.model").is_file():
        yield TokenFiles("spiece.model", folder / "spiece.model")
    if (folder / OPENAI_MERGES).is_file():
        yield TokenFiles("openai", folder / OPENAI_MERGES)


def files_given(path: StrPath) -> Iterator[TokenFiles]:
    """The vocabularies at a path that the user names: a file, or a folder of any of the kinds that are searched."""
    place = resolve_path(path)
    kind = _KINDS.get(place.suffix)
    if place.is_file() and kind is not None:
        yield TokenFiles("vocab.json" if place.name == "vocab.json" else kind, place, is_own=True)
    for folder in (place, place / "tokenizer", place / _COMFYUI.name, place / _COMFYUI):
        yield from (replace(files, is_own=True) for files in files_in(folder))


def files_beside(info: CheckpointInfo) -> Iterator[TokenFiles]:
    """The vocabularies beside a model file or inside a model folder, also in the layout of diffusers."""
    is_own = info.path.is_dir()
    folder = info.path if is_own else info.path.parent
    sidecar = info.path.with_name(f"{info.path.stem}.tokenizer.json")
    if not is_own and sidecar.is_file():
        yield TokenFiles("tokenizer.json", sidecar, is_own=True)
    folders = [folder, folder / "tokenizer"]
    if folder.name.startswith("text_encoder"):
        folders.append(folder.with_name(folder.name.replace("text_encoder", "tokenizer")))
    for place in folders:
        yield from (replace(files, is_own=is_own) for files in files_in(place))


def files_elsewhere(*, siglip: bool, search: Sequence[StrPath] = ()) -> Iterator[TokenFiles]:
    """The vocabularies of the folders to search, then of ComfyUI, the cache of Hugging Face and installed packages."""
    for folder in map(resolve_path, search):
        for place in (folder, folder / _COMFYUI.name, folder / _COMFYUI):
            yield from files_in(place)
    if not siglip:
        comfyui = detect_comfyui_installation()
        if comfyui is not None:
            yield from files_in(comfyui / _COMFYUI)
    for pattern in _SIGLIP_MODELS if siglip else _CLIP_MODELS:
        for snapshot in sorted(hub_cache().glob(f"{pattern}/snapshots/*")):
            yield from files_in(snapshot)
    if not siglip:
        for name in _PACKAGES:
            try:
                spec = importlib.util.find_spec(name)
            except ValueError:
                # a module without a spec, put into sys.modules by hand
                continue
            if spec is not None and spec.origin is not None:
                yield from files_in(Path(os.path.dirname(spec.origin)))
