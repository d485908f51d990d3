"""LoRAs for models of CLIP Model Loader: files of ComfyUI's own LoRA folders."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from ...clip_backend.checkpoints.trained_file import read_trained_file, training_of
from ...errors import InputError, MissingPackage
from ...options import option
from ..host.host import Host
from .loaded import LoadedModel, check_loaded, load_checkpoints

#: The name in the list where there is no file.
NOT_FOUND = "none found"
_SUFFIXES = (".safetensors", ".sft")
#: Files that are listed at most.
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class LoraOptions:
    """How strong a LoRA is."""

    strength: float = option(
        1.0,
        "1 = as it was trained, 0 = the model without it; of files of clip-grid train it is multiplied with the "
        "strength that training chose",
        low=-10,
        high=10,
    )


def lora_names(host: Host) -> list[str]:
    """The files in the LoRA folders, by their paths below them; ``none found`` without any; never raises."""
    names: dict[str, None] = {}
    try:
        folders = host.lora_folders
    except MissingPackage:
        # there is no ComfyUI: an error here would hide the inputs
        folders = ()
    for folder in folders:
        for here, below, files in os.walk(folder, followlinks=True):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for file in sorted(files):
                if file.lower().endswith(_SUFFIXES):
                    names[Path(here, file).relative_to(folder).as_posix()] = None
            if len(names) > _MOST:
                break
    return list(names) or [NOT_FOUND]


def find_lora(name: str, host: Host) -> Path:
    """The file of this name; raises InputError, with the nearest names, for one that is not in the LoRA folders."""
    names = lora_names(host)
    for folder in host.lora_folders if name in names else ():
        if (path := folder / name).is_file():
            return path
    if names == [NOT_FOUND]:
        raise InputError("there is no LoRA in models/loras; put the best.safetensors of a run there under its own name")
    near = " or ".join(map(repr, get_close_matches(name[:200], names, 2, 0.5)))
    raise InputError(f"there is no LoRA {name!r} in models/loras{f'; did you mean {near}' if near else ''}")


def with_lora(model: object, name: str, options: LoraOptions, host: Host) -> tuple[LoadedModel, tuple[str, ...]]:
    """The model with a LoRA, beside those that it has, and notes.

    Raises InputError for a name that is not there, CheckpointError for a file that does not fit the model, SpaceError
    for one that was trained on another.
    """
    loaded = check_loaded(model, "model")
    text = (loaded.text_info or loaded.info).text
    file = read_trained_file(find_lora(name, host), text_width=text.width if text else None)
    training = training_of(file, file.strength * options.strength)
    infos = [replace(info, trained=(*info.trained, training)) for info in (loaded.info, loaded.text_info) if info]
    shown = f"{loaded.name} with {name} at {options.strength:g}"
    with_it = load_checkpoints(shown, infos[0], infos[1] if len(infos) > 1 else None, loaded.options, host)
    notes = [f"it changes the {' and the '.join(file.changes)} encoder, {len(file.names)} weights", *file.notes]
    if not file.base.fingerprint:
        notes.append(f"{name} does not tell which model it was trained on, so that this was not checked")
    if file.strength != 1:
        notes.append(f"training chose the strength {file.strength:g}, so that it is used at {training.strength:g}")
    return with_it, tuple(notes)
