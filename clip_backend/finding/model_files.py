"""The files and folders below a folder that may be models, told by their names; nothing is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SAFE_SUFFIXES = (".safetensors", ".sft", ".gguf")
WEIGHT_SUFFIXES = (*SAFE_SUFFIXES, ".bin", ".ckpt", ".pt", ".pt2", ".pth", ".pkl")
_CONFIGS = ("config.json", "open_clip_config.json")
#: Weights as transformers and open_clip name them, in one file, in shards, or as the index of shards.
_FOLDER_WEIGHTS = re.compile(
    r"(open_clip_)?(pytorch_)?model(\.(fp16|bf16|fp32))?(-\d{5}-of-\d{5})?\.(safetensors|bin)(\.index\.json)?"
)
#: The hub's cache: ``models--openai--clip-vit-base-patch32/snapshots/<revision>``.
_SNAPSHOT = re.compile(r"(?:.*/)?models--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)(?P<rest>/.*)?")
_SHOWN_REVISION = 8


@dataclass(frozen=True)
class Candidate:
    """A file or folder that may be a model."""

    #: As seen from the folder that was searched, with forward slashes; a cached model's is that of the hub.
    name: str
    path: Path
    #: Why nobody can look into it; empty if nothing is known against it.
    problem: str = ""


def candidates(folder: Path) -> Iterator[Candidate]:
    """What may be a model in a folder and all below it, links followed, each folder once; hidden ones are left out.

    A folder of transformers or open_clip is one candidate. A path to a file is that file. What cannot be listed, a
    link that leads nowhere or back is a candidate with its problem.
    """
    if os.path.isfile(folder):
        yield Candidate(folder.name, folder)
        return
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real in seen:
            if Path(os.path.realpath(here.parent)).is_relative_to(real):
                yield Candidate(_name(folder, here), here, f"a link that leads back to {real}; it is left out")
            continue
        seen.add(real)
        try:
            entries = sorted(os.listdir(here), key=_order)
        except OSError as error:
            yield Candidate(_name(folder, here), here, f"cannot be listed ({error.strerror}); check its permissions")
            continue
        yield from _of_folder(folder, here, entries)
        waiting += [here / entry for entry in reversed(entries) if _is_to_be_searched(here, entry)]


def unseen(found: Iterable[Candidate], known: set[str]) -> Iterator[Candidate]:
    """Those whose file or folder is not yet known under another name; adds them to ``known``."""
    for candidate in found:
        real = str(candidate.path) if candidate.problem else os.path.realpath(candidate.path)
        if real not in known:
            known.add(real)
            yield candidate


def _of_folder(root: Path, here: Path, entries: Sequence[str]) -> Iterator[Candidate]:
    is_model = is_model_folder(entries)
    if is_model:
        yield Candidate(_name(root, here), here)
    for entry in entries:
        # beside a folder's own weights the others are the same again, or states of a training
        suffixes = SAFE_SUFFIXES if is_model else WEIGHT_SUFFIXES
        own = is_model and _FOLDER_WEIGHTS.fullmatch(entry)
        path = here / entry
        if own or entry.startswith(".") or not entry.lower().endswith(suffixes) or os.path.isdir(path):
            continue
        yield Candidate(_name(root, path), path, _problem_of(path))


def is_model_folder(entries: Sequence[str]) -> bool:
    """Whether files of these names make a folder of transformers or open_clip: a config and weights."""
    return any(name in entries for name in _CONFIGS) and any(map(_FOLDER_WEIGHTS.fullmatch, entries))


def _problem_of(path: Path) -> str:
    if os.path.isfile(path):
        return ""
    if os.path.islink(path):
        return "a link that leads nowhere; restore the file or remove the link"
    return "no ordinary file, or out of reach; check its permissions"


def _is_to_be_searched(here: Path, entry: str) -> bool:
    return not entry.startswith((".", "datasets--", "spaces--")) and os.path.isdir(here / entry)


def _order(name: str) -> tuple[str, str]:
    return name.casefold(), name


def _name(root: Path, path: Path) -> str:
    """The path as seen from the root; of a cached model the hub's name, with the revision where there are others."""
    match = _SNAPSHOT.fullmatch(path.as_posix())
    if match is None:
        return root.name if path == root else path.relative_to(root).as_posix()
    name = match["name"].replace("--", "/")
    inner = Path(match["rest"] or "").parts[1:]
    snapshot = path.parents[len(inner) - 1] if inner else path
    revision = "" if _is_current(snapshot) else f"@{match['revision'][:_SHOWN_REVISION]}"
    return "/".join((name + revision, *inner))


def _is_current(snapshot: Path) -> bool:
    """Whether this revision is the hub's main one, or the only one."""
    try:
        if os.listdir(snapshot.parent) == [snapshot.name]:
            return True
        return (snapshot.parents[1] / "refs" / "main").read_text("utf-8").strip() == snapshot.name
    except (OSError, ValueError):
        return False
