"""A recognised model told in full: shapes, habits with their sources, space, fingerprint, notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..checkpoint_info import CheckpointInfo, Family, Source, TextShape, VisionShape
from . import fingerprints, remarks
from .candidates import Candidate, projection_size
from .evidence import Evidence, check_argument, gather, resolved
from .habits import with_habits
from .prefixes import BuiltIn, built_in
from .properties import Properties
from .safetensors_header import Opener, TensorEntry
from .spaces import Towers, known_space, own_space
from .tower_shapes import TowerReader
from .weight_listing import WeightListing

_LONGCLIP_CONTEXT = 248
_SIGLIP2_VOCABULARY = 256_000
_SIGLIP2_WIDTH = 1536
#: Properties that only a picture tower has.
_SIGHT = ("mean", "std", "fit", "interpolation", "image_size")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the caller asked for, beside the file."""

    path: Path
    listing: WeightListing
    argument: Properties
    opener: Opener
    known: Mapping[str, Properties]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What the header of a model says."""

    towers: Towers
    fingerprint: str
    dtype: str
    parameters: int
    built_in: BuiltIn | None
    #: Whether the family is a guess among those that look alike.
    is_family_assumed: bool
    is_size_assumed: bool


def describe(request: Request, candidate: Candidate, others: Iterable[Candidate]) -> CheckpointInfo:
    """Everything about the chosen model; CheckpointError if its tensors do not fit each other."""
    read = _read(request, candidate)
    vision, text = read.towers.vision, read.towers.text
    check_argument(request.argument, read.towers)
    evidence = gather(request.path, request.listing, vision, text)
    notes = (
        *remarks.notes_of(read.towers, read.built_in),
        *remarks.others_note(others, request.listing.tensors),
        *evidence.notes,
    )
    info = CheckpointInfo(
        path=request.path,
        files=request.listing.files,
        layout=candidate.layout,
        prefix=candidate.prefix,
        family=read.towers.family,
        projection=read.towers.projection,
        has_vision_projection=read.towers.has_vision_projection,
        has_text_projection=read.towers.has_text_projection,
        dtype=read.dtype,
        parameters=read.parameters,
        size_bytes=request.listing.size_bytes,
        fingerprint=read.fingerprint,
        problem=remarks.problem_of(read.towers, read.dtype),
        notes=notes,
    )
    return _with_sources(info, request, read, evidence)


def _read(request: Request, candidate: Candidate) -> _Read:
    tensors, prefix = request.listing.tensors, candidate.prefix
    readers = {row.part: TowerReader(request.path, tensors, prefix, row) for row in candidate.rows}
    family = _family(candidate, tensors)
    vision = readers["vision"].vision(family) if "vision" in readers else None
    text = readers["text"].text(family) if "text" in readers else None
    sizes = {row.part: projection_size(row, prefix, tensors) for row in candidate.rows}
    named = (candidate.vision and vision and built_in(prefix, "vision", vision.width)) or (
        candidate.text and text and built_in(prefix, "text", text.width)
    )
    shapes = [(row, shape) for row, shape in ((candidate.vision, vision), (candidate.text, text)) if row and shape]
    prints = [fingerprints.fingerprint(row, prefix, tensors, shape, request.opener) for row, shape in shapes]
    own = _own_entries(candidate, tensors)
    return _Read(
        towers=Towers(
            family=family,
            vision=vision,
            text=text,
            projection=sizes.get("vision") or sizes.get("text") or None,
            has_vision_projection=bool(sizes.get("vision")),
            has_text_projection=bool(sizes.get("text")),
            activation=None,
            has_foreign_text=candidate.has_foreign_text,
            has_equal_projections=len({size for size in sizes.values() if size}) < 2,
        ),
        fingerprint=fingerprints.joined(prints),
        dtype=remarks.main_dtype(own),
        parameters=sum(entry.count for entry in own if entry.dtype.startswith(("F", "BF"))),
        built_in=named or None,
        is_family_assumed=family == "siglip" and text is None,
        is_size_assumed=vision is not None and (not readers["vision"].names.position or _is_384(vision)),
    )


def _family(candidate: Candidate, tensors: Mapping[str, TensorEntry]) -> Family:
    """The member of a family, by what no other member has."""
    vision, text = (
        tensors.get(candidate.prefix + row.names.embedding) if row else None
        for row in (candidate.vision, candidate.text)
    )
    if candidate.family == "siglip":
        if vision and len(vision.shape) == 2:
            return "naflex"
        is_second = text is not None and text.shape[:1] == (_SIGLIP2_VOCABULARY,)
        is_large = vision is not None and vision.shape[:1] == (_SIGLIP2_WIDTH,)
        return "siglip2" if is_second or is_large else "siglip"
    if candidate.family == "clip" and candidate.text:
        names = candidate.text.names
        positions = tensors.get(candidate.prefix + names.position)
        if positions and positions.shape[-2:-1] == (_LONGCLIP_CONTEXT,):
            return "longclip"
    return candidate.family


def _is_384(vision: VisionShape) -> bool:
    return vision.image_size % vision.patch != 0


def _own_entries(candidate: Candidate, tensors: Mapping[str, TensorEntry]) -> list[TensorEntry]:
    """The tensors of the model: all below its prefix, or of its towers in a file where others lie beside them."""
    return [entry for name, entry in tensors.items() if name.startswith(candidate.prefix)]


def _with_sources(info: CheckpointInfo, request: Request, read: _Read, evidence: Evidence) -> CheckpointInfo:
    """Each habit from the strongest source that states it, the family's where none does."""
    looked_up: tuple[Source, Properties] = ("fingerprint", fingerprints.look_up(info.fingerprint, request.known))
    stated, sources = resolved((("argument", request.argument), *evidence.sources, looked_up))
    vision, text = _shapes(read, stated)
    winners: dict[str, Source] = {"shapes": "header", **sources}
    winners["family"] = "assumed" if read.is_family_assumed else "header"
    for name in ("activation", "eps", *(_SIGHT if vision else ())):
        is_told = name == "image_size" and not read.is_size_assumed
        winners.setdefault(name, "header" if is_told else "assumed")
    winners.setdefault("heads", "assumed")
    if vision and text:
        winners.setdefault("text_heads", "assumed")
    info = with_habits(replace(info, vision=vision, text=text, space=stated.space), stated)
    return _with_space(info, read, stated, winners)


def _shapes(read: _Read, stated: Properties) -> tuple[VisionShape | None, TextShape | None]:
    """The towers with the heads and the size of pictures that a source states."""
    vision, text = read.towers.vision, read.towers.text
    if vision:
        vision = replace(vision, heads=stated.heads or vision.heads, image_size=stated.image_size or vision.image_size)
    if text:
        heads = stated.text_heads if vision else stated.heads or stated.text_heads
        text = replace(text, heads=heads or text.heads)
    return vision, text


def _with_space(info: CheckpointInfo, read: _Read, stated: Properties, winners: dict[str, Source]) -> CheckpointInfo:
    """The space that a source states, or that of a built-in or well-known model, or its own."""
    if stated.space is None and info.projection is not None and read.built_in:
        info = replace(info, space=read.built_in.space)
        winners["space"] = "header"
    elif stated.space is None:
        towers = replace(read.towers, activation=stated.activation)
        known = known_space(towers) if info.projection is not None else None
        info = replace(info, space=known.name if known else own_space(towers, info.fingerprint))
        winners["space"] = "assumed" if known else "fingerprint"
    if info.space is None:
        winners.pop("space", None)
    return replace(info, sources=winners)
