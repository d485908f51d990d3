"""What a user is told about a recognised model: why it cannot be used, and what to know before using it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from ...errors import CheckpointError, InputError
from . import fingerprints
from .evidence import Evidence, Request, check_argument, gather, resolved
from .info import CheckpointInfo, Family, Source, TextShape, VisionShape
from .pickled import describe_foreign
from .properties import NAMES, Properties, properties_of, with_habits
from .safetensors_header import Opener, TensorEntry, open_unbuffered
from .shapes import (
    Candidate,
    Tensors,
    TowerReader,
    find_candidates,
    matching,
    part_of,
    projection_size,
    refused_projections,
)
from .spaces import BuiltIn, Towers, built_in, known_space, own_space
from .weight_listing import list_weights

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "I64": "int64", "I32": "int32", "I16": "int16", "BOOL": "bool",
}  # fmt: skip
_LOADABLE = ("float64", "float32", "float16", "bfloat16")
_SD2_WIDTH, _SD2_LAYERS = 1024, 24
_WHOLE = "choose the text encoder of a whole CLIP model"


def main_dtype(entries: Iterable[TensorEntry]) -> str:
    """The type of most of the weights, in torch's words."""
    bytes_of: dict[str, int] = {}
    for entry in entries:
        bytes_of[entry.dtype] = bytes_of.get(entry.dtype, 0) + entry.end - entry.begin
    most = max(bytes_of, key=lambda name: bytes_of[name], default="F32")
    return _DTYPES.get(most, most.lower())


def problem_of(towers: Towers, dtype: str) -> str:
    """Why a recognised model cannot be used; empty if it can."""
    if dtype not in _LOADABLE:
        return f"its weights are {dtype}, which is not computed with; choose it in float16, bfloat16 or float32"
    if towers.vision and towers.text and not towers.has_equal_projections:
        return "its towers end in embeddings of different lengths; it is damaged, fetch it again"
    text = towers.text
    if text is None or towers.vision or towers.family not in ("clip", "longclip"):
        return ""
    is_sd2 = text.width == _SD2_WIDTH
    if is_sd2 and text.layers == _SD2_LAYERS - 1:
        return (
            "an SD2 text encoder with 23 of its 24 layers, which is all that drawing pictures needs; "
            f"its embedding cannot match pictures, {_WHOLE}, such as that of a single-file SD2 checkpoint"
        )
    if is_sd2 and not towers.has_text_projection:
        return (
            "an SD2 text encoder without text_projection; its embedding cannot match pictures, "
            f"{_WHOLE}, such as that of a single-file SD2 checkpoint"
        )
    return ""


def notes_of(towers: Towers, known: BuiltIn | None) -> list[str]:
    """What to know about a model before using it."""
    notes = []
    if towers.text and not towers.has_text_projection:
        notes.append("its text tower has no text_projection, so its texts cannot be compared with pictures")
    if towers.vision and not towers.has_vision_projection and towers.family in ("clip", "longclip"):
        notes.append("its picture tower has no visual_projection, so its pictures cannot be compared with texts")
    if towers.has_foreign_text:
        notes.append("its text tower is of another kind (such as RoBERTa) and is not read; it is for pictures only")
    if known and known.part == "text":
        notes.append(f"the text encoder of {known.checkpoint} checkpoints, which training may have moved from its pair")
    return notes


def others_note(others: Iterable[Candidate], tensors: Tensors) -> list[str]:
    """The other models of a checkpoint, and how to choose one of them."""
    lines = []
    for other in others:
        parts = " and ".join(row.part for row in other.rows) or other.family
        size = max((projection_size(row, other.prefix, tensors) for row in other.rows), default=0)
        embedding = f", embeddings of {size}" if size else ", without projection"
        lines.append(f"also holds {other.layout} ({parts}{embedding}); choose it with prefix {other.prefix!r}")
    return lines


def unknown_model(tensors: Mapping[str, TensorEntry]) -> str:
    """The problem of a file that holds no model of a known layout."""
    first = ", ".join(name[:60] for name in list(tensors)[:3])
    plural = "tensor" if len(tensors) == 1 else "tensors"
    return f"no CLIP, SigLIP or DINO model ({len(tensors):,} {plural}: {first}, …); choose a CLIP model file"


_LONGCLIP_CONTEXT = 248
_SIGLIP2_VOCABULARY = 256_000
_SIGLIP2_WIDTH = 1536
#: Properties that only a picture tower has.
_SIGHT = ("mean", "std", "fit", "interpolation", "image_size")


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
        *notes_of(read.towers, read.built_in),
        *others_note(others, request.listing.tensors),
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
        problem=problem_of(read.towers, read.dtype),
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
        dtype=main_dtype(own),
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
        dtype=main_dtype(listing.tensors.values()),
        parameters=sum(entry.count for entry in listing.tensors.values()),
        size_bytes=listing.size_bytes,
        problem=unknown_model(listing.tensors),
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
