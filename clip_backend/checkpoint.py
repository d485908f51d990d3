"""What a model file or folder is, read from its header and its configuration; its weights stay where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..errors import CheckpointError, InputError
from .checkpoint_info import CheckpointInfo
from .recognition import fingerprints, remarks
from .recognition.candidates import Candidate, find_candidates, matching, part_of, refused_projections
from .recognition.description import Request, describe
from .recognition.foreign_models import describe_foreign
from .recognition.properties import NAMES, Properties, properties_of
from .recognition.safetensors_header import Opener, open_unbuffered
from .recognition.weight_listing import list_weights


def read_checkpoint(
    path: str | PathLike[str],
    *,
    prefix: str | None = None,
    allow_pickle: bool = False,
    known: Mapping[str, Properties] = fingerprints.KNOWN,
    opener: Opener = open_unbuffered,
    **given: object,
) -> CheckpointInfo:
    """What a safetensors file, a folder of transformers or open_clip, or another kind of weights is.

    prefix: which model of a checkpoint; else the best one for comparing pictures with text. allow_pickle: weights in a
    pickle are no problem; their sizes come from the config.json beside them. known: what is known of weights by their
    fingerprint. given: any of ``activation``, ``eps``, ``mean``, ``std``, ``fit``, ``interpolation``, ``image_size``,
    ``heads``, ``text_heads``, ``space``, which beats what files say.

    Reads the header and a few kB of small tensors. Raises CheckpointError for what is no model, and for one that is
    damaged; a model that is recognised but cannot be loaded has a ``problem``.
    """
    argument = _argument(given)
    listing = list_weights(Path(path), opener)
    request = Request(path=Path(path), listing=listing, argument=argument, opener=opener, known=known)
    if listing.foreign:
        return describe_foreign(request, listing.foreign, allow_pickle=allow_pickle)
    candidates = find_candidates(listing.tensors)
    if not candidates:
        return _unknown(request)
    chosen = _chosen(request, candidates, prefix)
    if chosen.refused:
        return _refused(request, chosen)
    others = [other for other in candidates if other.prefix != chosen.prefix or other.layout != chosen.layout]
    return describe(request, chosen, others)


def _argument(given: Mapping[str, object]) -> Properties:
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        raise InputError(f"{unknown[0]} is no property of a model; give any of {', '.join(NAMES)}")
    return properties_of(given, "given")


def _chosen(request: Request, candidates: list[Candidate], prefix: str | None) -> Candidate:
    if prefix is None:
        return candidates[0]
    found = matching(candidates, prefix)
    if found is None:
        there = ", ".join(repr(candidate.prefix) for candidate in candidates)
        raise CheckpointError(str(request.path), f"holds no model with the prefix {prefix!r}; choose one of {there}")
    return part_of(found, prefix)


def _unknown(request: Request) -> CheckpointInfo:
    listing = request.listing
    return CheckpointInfo(
        path=request.path,
        files=listing.files,
        layout="unknown",
        family="other",
        dtype=remarks.main_dtype(listing.tensors.values()),
        parameters=sum(entry.count for entry in listing.tensors.values()),
        size_bytes=listing.size_bytes,
        problem=remarks.unknown_model(listing.tensors),
    )


def _refused(request: Request, candidate: Candidate) -> CheckpointInfo:
    vision, text = refused_projections(candidate, request.listing.tensors)
    problem = candidate.refused.problem if candidate.refused else ""
    return replace(
        _unknown(request),
        layout=candidate.layout,
        family=candidate.family,
        prefix=candidate.prefix,
        projection=vision or text or None,
        has_vision_projection=bool(vision),
        has_text_projection=bool(text),
        problem=problem,
    )
