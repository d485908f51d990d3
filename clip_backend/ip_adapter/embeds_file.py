"""References in files: embeddings of pictures as safetensors, with the fingerprint of the encoder that made them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...atomic import atomic_file
from ...errors import InputError
from ...input_files import check_file
from ...json_text import parse_object
from .projections import States
from .references import Reference

#: In the metadata of the file: what the tensors belong to.
KEY = "clip_grid.references"
VERSION = 1
#: Suffix of ComfyUI_IPAdapter_plus's files: one tensor, pickled by torch.
OTHER_SUFFIX = ".ipadpt"
MAX_BYTES = 4 << 30
_TENSORS = ("embeds", "hidden", "face", "blank", "mask")


def save_references(path: Path, references: Sequence[Reference]) -> None:
    """Writes the references; the file appears whole or not at all. Raises InputError for none, and as writing does."""
    if not references:
        raise InputError("there is no reference to save; give at least one")
    tensors: dict[str, Tensor] = {}
    facts = []
    for number, one in enumerate(references):
        given = {**vars(one.states), "blank": one.blank, "mask": one.mask}
        for name in _TENSORS:
            if given[name] is not None:
                # safetensors refuses tensors that share memory
                tensors[f"{number}.{name}"] = given[name].detach().to("cpu", torch.float32).contiguous().clone()
        facts.append(
            {
                "weight": one.weight,
                "picture_weights": list(one.picture_weights),
                "negative": one.is_negative,
                "per_frame": one.per_frame,
                "encoder": one.fingerprint,
            }
        )
    _check_finite(tensors, "the references")
    header = {KEY: json.dumps({"version": VERSION, "references": facts})}
    with atomic_file(path) as file:
        file.write(save(tensors, header))


def load_references(path: Path) -> tuple[Reference, ...]:
    """The references of a file; of ComfyUI_IPAdapter_plus also ``.ipadpt``, of which nothing but a tensor is read.

    Raises InputError for another or damaged file, and for numbers that are not finite.
    """
    try:
        size = check_file(path).st_size
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}); check the file") from error
    except InputError as error:
        raise InputError(f"{path.name} cannot be read: {error}") from error
    if size > MAX_BYTES:
        raise InputError(f"{path.name} has {size >> 20} MB; files of references are smaller: it is something else")
    if path.suffix.lower() == OTHER_SUFFIX:
        return (_other_reference(path),)
    try:
        with safe_open(path, framework="pt") as file:
            text, names = (file.metadata() or {}).get(KEY), list(file.keys())
            if text is None:
                keys = ", ".join(names[:3])
                raise InputError(f"{path.name} holds no references, but {keys}; choose a file of IP-Adapter Embeds")
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path.name} is no safetensors file, or is damaged ({error}); save it again") from error
    _check_finite(tensors, path.name)
    return tuple(_references(path, text, tensors))


def _check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    for key, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{key} of {name} holds numbers that are not finite, which would make the picture black; encode the "
                "pictures again"
            )


def _references(path: Path, text: str, tensors: Mapping[str, Tensor]) -> Iterator[Reference]:
    try:
        facts = parse_object(text)
        if facts["version"] > VERSION:
            raise InputError(f"{path.name} was saved by a newer version of CLIP Grid; update it")
        for number, one in enumerate(facts["references"]):
            given = {name: tensors.get(f"{number}.{name}") for name in _TENSORS}
            states = States(embeds=given["embeds"], hidden=given["hidden"], face=given["face"])
            if not len(states):
                raise KeyError(f"{number}.embeds")
            yield Reference(
                states=states,
                blank=given["blank"],
                mask=given["mask"],
                weight=float(one["weight"]),
                picture_weights=tuple(float(weight) for weight in one["picture_weights"]),
                is_negative=bool(one["negative"]),
                per_frame=bool(one["per_frame"]),
                fingerprint=str(one["encoder"]),
            )
    except (ValueError, KeyError, TypeError) as error:
        reason = f"what its tensors belong to cannot be read ({error})"
        raise InputError(f"{path.name} is damaged: {reason}; save it again") from error


def _other_reference(path: Path) -> Reference:
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path.name} is not read: it holds more than a tensor, or is damaged") from error
    return reference_of_tensor(found, path.name)


def reference_of_tensor(found: object, name: str) -> Reference:
    """Embeddings [N, P] or hidden states [N, T, W] of pictures, as ComfyUI_IPAdapter_plus passes them on."""
    if not isinstance(found, Tensor) or found.ndim not in (2, 3) or 0 in found.shape:
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(
            f"{name} holds {shape}; it must be a tensor [pictures, numbers] or [pictures, tokens, numbers]"
        )
    tensor = found.to(torch.float32)
    _check_finite({"the tensor": tensor}, name)
    return Reference(states=States(embeds=tensor) if tensor.ndim == 2 else States(hidden=tensor))
