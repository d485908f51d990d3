"""Vectors of faces from any node: tensors, arrays, lists, texts, and objects of face recognition packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...json_text import JsonError, parse_json
from .detection import AdapterInfo
from .references import Reference

if TYPE_CHECKING:
    from torch import Tensor

#: These read vectors as the face model gives them, all others vectors of length 1.
_RAW = frozenset({"faceid-portrait-unnorm", "instantid"})
#: Fewer numbers are no vector of a face.
_LEAST = 8
_WANTED = "give vectors of 512 dimensions, as face recognition models such as InsightFace's give them"


def face_vectors(values: Sequence[object], pictures: int, *, together: bool) -> Tensor | None:
    """[N, F, P]: of N pictures F faces each; None without values.

    values: each a vector [P], the faces of a picture [F, P], or [N, F, P]; also lists and texts of numbers, and objects
    with an ``embedding``. Rows [F, P] belong to as many pictures, where there are so many. together: otherwise they
    are faces of one picture. Raises InputError for anything else, for numbers that are not finite, and for zeros.
    """
    import torch

    given = [value for value in values if value is not None]
    # a node whose output is a list gives its numbers one by one
    given = [given] if given and all(isinstance(value, int | float) for value in given) else given
    parts = [_faces(value, pictures, together=together) for value in given]
    if not parts:
        return None
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(str(list(part.shape)) for part in parts)
        raise InputError(f"face holds vectors of different shapes ({shapes}); {_WANTED}, as many for each picture")
    faces = torch.cat(parts)
    if not bool(torch.isfinite(faces).all()):
        raise InputError(
            "face holds numbers that are not finite; the face was probably not found: take another picture"
        )
    if not bool(faces.any(dim=-1).all()):
        raise InputError("face holds a vector of zeros; the face was probably not found: take another picture")
    return faces


def _faces(value: object, pictures: int, *, together: bool) -> Tensor:
    vectors = _tensor(value)
    if vectors.ndim == 2:
        rows = len(vectors)
        vectors = vectors[None] if together and (rows != pictures or rows == 1) else vectors[:, None]
    elif vectors.ndim == 1:
        vectors = vectors[None, None]
    if vectors.ndim != 3 or 0 in vectors.shape or vectors.shape[-1] < _LEAST:
        raise InputError(f"face holds the shape {list(vectors.shape)}; {_WANTED}")
    return vectors


def _tensor(value: object) -> Tensor:
    import torch

    if isinstance(value, str):
        value = _read(value)
    try:
        return torch.as_tensor(_numbers(value), dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"face holds a {type(value).__name__}, which is no vector of numbers; {_WANTED}") from error


def _read(text: str) -> Any:
    try:
        return parse_json(text if text.strip().startswith("[") else f"[{text}]")
    except JsonError as error:
        raise InputError(f"face holds the text {text[:60]!r}, which is no list of numbers; {_WANTED}") from error


def _numbers(value: Any) -> Any:
    """What an object of a face recognition package holds; anything else as it is."""
    if isinstance(value, Mapping) and "embedding" in value:
        return value["embedding"]
    if hasattr(value, "embedding"):
        return value.embedding
    if isinstance(value, list | tuple) and value and not isinstance(value[0], int | float):
        import torch

        return torch.stack([_tensor(one) for one in value])
    return value


def with_lengths(info: AdapterInfo, references: Iterable[Reference]) -> tuple[list[Reference], list[str]]:
    """(references with vectors of faces of the length that the adapter was trained with, notes)."""
    found, notes = [], []
    for one in references:
        face = one.states.face
        if face is None:
            found.append(one)
            continue
        lengths = face.norm(dim=-1, keepdim=True)
        if info.variant.name in _RAW:
            if bool(((lengths - 1).abs() < 1e-3).all()):
                notes.append(
                    f"{info.variant.title} reads vectors of faces that are not normalized, and these have the length 1"
                )
            found.append(one)
        else:
            found.append(replace(one, states=replace(one.states, face=face / lengths.clamp_min(1e-12))))
    return found, notes
