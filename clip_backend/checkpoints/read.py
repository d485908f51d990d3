"""What a model file or folder is: from its path to a CheckpointInfo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ...errors import CheckpointError, InputError
from .config_files import stated_properties
from .config_only import describe_other_format
from .detection import Candidate, find_candidates, with_prefix
from .fingerprints import fingerprint
from .info import CheckpointInfo, Source
from .properties import (
    NAMES,
    Properties,
    check_properties,
    default_properties,
    resolve,
    without_impossible,
)
from .safetensors_header import Opener, TensorEntry, Tensors, open_unbuffered
from .spaces import KNOWN_WEIGHTS, built_in_encoder, find_space
from .unsupported import vision_language_problem
from .weight_files import WeightFiles, find_weights
from .weight_names import unread_notes, unread_problem, unread_tensors

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "I64": "int64", "I32": "int32", "I16": "int16", "BOOL": "bool",
}  # fmt: skip
_LOADABLE = ("float64", "float32", "float16", "bfloat16")
_SD2_WIDTH, _SD2_LAYERS = 1024, 24
_VISION_ONLY = ("mean", "std", "fit", "interpolation", "image_size")
#: Properties that a model has from its sources as they are.
_VALUES = (
    "activation", "eps", "pool", "text_pool", "is_causal", "text_cleaning", "mean", "std", "fit", "short_side",
    "pad_color", "interpolation", "space",
)  # fmt: skip


def read_checkpoint(
    path: str | PathLike[str],
    *,
    prefix: str | None = None,
    allow_pickle: bool = False,
    known: Mapping[str, Properties] = KNOWN_WEIGHTS,
    opener: Opener = open_unbuffered,
    **properties: object,
) -> CheckpointInfo:
    """What a safetensors file, a folder of transformers or open_clip, or another kind of weights is.

    prefix: which model of a checkpoint; else the best one for comparing pictures with texts. allow_pickle: weights in a
    pickle are no problem; their sizes come from the config.json in their folder. known: what is known about weights by
    their fingerprint. properties: any of ``activation``, ``eps``, ``mean``, ``std``, ``fit``, ``interpolation``,
    ``image_size``, ``heads``, ``text_heads``, ``space``, which overrides what files state.

    Reads the header and a few kB of small tensors. Raises CheckpointError for what is no model, and for one that is
    damaged; a model that is recognised but cannot be loaded has a ``problem``. Raises InputError for a property that is
    unknown, invalid, or impossible with the shapes.
    """
    if unknown := sorted(set(properties) - set(NAMES)):
        raise InputError(f"{unknown[0]} is no property of a model; give any of {', '.join(NAMES)}")
    argument = check_properties(properties, "given")
    files = find_weights(Path(path), opener)
    if files.other_format:
        info = describe_other_format(files, files.other_format, allow_pickle=allow_pickle)
        has_sizes = info.vision or info.text
        return _with_properties(info, files, argument, Properties(), has_other_text=False) if has_sizes else info
    candidates = find_candidates(files.tensors)
    is_whole = prefix is None and not any(candidate.text for candidate in candidates)
    if is_whole and (problem := vision_language_problem(files.tensors)):
        return replace(_unrecognised(files), layout="vision-language", problem=problem)
    if not candidates:
        return _unrecognised(files)
    chosen = candidates[0] if prefix is None else with_prefix(candidates, prefix)
    if chosen is None:
        there = ", ".join(repr(candidate.prefix) for candidate in candidates)
        raise CheckpointError(str(path), f"holds no model with the prefix {prefix!r}; choose one of {there}")
    if chosen.unsupported:
        return _unsupported(files, chosen, chosen.unsupported.problem)
    info = _with_sizes(files, chosen, opener)
    others = [other for other in candidates if (other.prefix, other.layout) != (chosen.prefix, chosen.layout)]
    unread = unread_tensors(chosen, files.tensors)
    notes = _notes(info, chosen, others, files.tensors)
    notes += unread_notes(chosen, unread)
    info = replace(info, problem=info.problem or unread_problem(chosen, unread), notes=tuple(notes))
    keys = (info.fingerprint, *info.fingerprint.split("-"))
    looked_up = next((known[key] for key in keys if key in known), Properties())
    return _with_properties(info, files, argument, looked_up, chosen.text is None and bool(unread.text))


def _unrecognised(files: WeightFiles) -> CheckpointInfo:
    tensors = files.tensors
    first = ", ".join(name[:60] for name in list(tensors)[:3])
    plural = "tensor" if len(tensors) == 1 else "tensors"
    return CheckpointInfo(
        path=files.path, files=files.files, layout="unknown", family="other", size_bytes=files.size_bytes,
        dtype=main_dtype(tensors.values()), parameters=sum(entry.count for entry in tensors.values()),
        problem=f"no CLIP, SigLIP or DINO model ({len(tensors):,} {plural}: {first}, …); choose a CLIP model file",
    )  # fmt: skip


def _unsupported(files: WeightFiles, chosen: Candidate, problem: str) -> CheckpointInfo:
    projections = chosen.projections(files.tensors)
    return replace(
        _unrecognised(files), layout=chosen.layout, family=chosen.family, prefix=chosen.prefix, problem=problem,
        projection=projections.get("vision") or projections.get("text"),
        has_vision_projection="vision" in projections, has_text_projection="text" in projections,
    )  # fmt: skip


def _with_sizes(files: WeightFiles, chosen: Candidate, opener: Opener) -> CheckpointInfo:
    """The chosen model with what its tensors determine; CheckpointError if they contradict each other."""
    tensors, prefix = files.tensors, chosen.prefix
    family, vision, text = chosen.sizes(files.path, tensors)
    projections = chosen.projections(tensors)
    own = [entry for name, entry in tensors.items() if name.startswith(prefix)]
    info = CheckpointInfo(
        path=files.path, files=files.files, size_bytes=files.size_bytes, layout=chosen.layout, prefix=prefix,
        family=family, vision=vision, text=text, projection=projections.get("vision") or projections.get("text"),
        has_vision_projection="vision" in projections, has_text_projection="text" in projections,
        dtype=main_dtype(own), parameters=sum(entry.count for entry in own if entry.dtype.startswith(("F", "BF"))),
    )  # fmt: skip
    problem = _problem(info, set(projections.values()))
    return replace(info, fingerprint=fingerprint(info, tensors, opener), problem=problem)


def main_dtype(entries: Iterable[TensorEntry]) -> str:
    """The type of most of the weights, as torch calls it."""
    bytes_of: dict[str, int] = {}
    for entry in entries:
        bytes_of[entry.dtype] = bytes_of.get(entry.dtype, 0) + entry.end - entry.begin
    most = max(bytes_of, key=bytes_of.__getitem__, default="F32")
    return _DTYPES.get(most, most.lower())


def _problem(info: CheckpointInfo, projections: set[int]) -> str:
    """Why a recognised model cannot be used; empty if it can. projections: the lengths of its embeddings."""
    if info.dtype not in _LOADABLE:
        return f"its weights are {info.dtype}, which is not computed with; choose it in float16, bfloat16 or float32"
    if len(projections) > 1:
        return "its towers end in embeddings of different lengths; it is damaged, fetch it again"
    text = info.text
    if text is None or info.vision or info.family not in ("clip", "longclip") or text.width != _SD2_WIDTH:
        return ""
    cure = "choose the text encoder of a whole CLIP model, such as that of a single-file SD2 checkpoint"
    if text.layers == _SD2_LAYERS - 1:
        return (
            "an SD2 text encoder with 23 of its 24 layers, which is all that drawing pictures needs; "
            f"its embedding cannot match pictures, {cure}"
        )
    if not info.has_text_projection:
        return f"an SD2 text encoder without text_projection; its embedding cannot match pictures, {cure}"
    return ""


def _notes(info: CheckpointInfo, chosen: Candidate, others: Iterable[Candidate], tensors: Tensors) -> list[str]:
    """What to know about a model before using it, and how to choose the other models of the same checkpoint."""
    notes = []
    if info.text and not info.has_text_projection:
        notes.append("its text tower has no text_projection, so its texts cannot be compared with pictures")
    if info.vision and not info.has_vision_projection and info.family in ("clip", "longclip"):
        notes.append("its picture tower has no visual_projection, so its pictures cannot be compared with texts")
    built_in = built_in_encoder(info)
    if built_in and built_in.part == "text":
        checkpoint = built_in.checkpoint
        notes.append(f"the text encoder of {checkpoint} checkpoints, which training may have moved from its pair")
    for other in others:
        parts = " and ".join(row.part for row in other.encoders) or other.family
        size = 0 if other.unsupported else max(other.projections(tensors).values(), default=0)
        embedding = f", embeddings of {size}" if size else ", without projection"
        notes.append(f"also holds {other.layout} ({parts}{embedding}); choose it with prefix {other.prefix!r}")
    return notes


def _with_properties(
    info: CheckpointInfo, files: WeightFiles, argument: Properties, looked_up: Properties, has_other_text: bool
) -> CheckpointInfo:
    """The model with each property from the strongest source that states it, else with the usual one of its family.

    looked_up: what is known by the fingerprint.
    """
    vision, text = info.vision, info.text
    _, wrong = without_impossible(argument, info)
    if wrong:
        raise InputError(f"{wrong[0]}; give another number, or none")
    stated, notes = stated_properties(info, files.folder, files.metadata)
    usual = default_properties(info)
    known: list[tuple[Source, Properties]] = [("fingerprint", looked_up), ("assumed", usual)]
    properties, winners, refused = resolve([("argument", argument), *stated, *known])
    sources = _sources(info, winners, "config" if files.other_format else "header")
    if vision:
        heads, image_size = properties.heads or vision.heads, properties.image_size or vision.image_size
        vision = replace(vision, heads=heads, image_size=image_size)
    if text:
        is_first = info.vision is None and winners["heads"] != "assumed"
        text = replace(text, heads=(properties.heads if is_first else properties.text_heads) or text.heads)
    values = {name: value for name in _VALUES if (value := getattr(properties, name)) is not None}
    if text and info.vision:
        values |= {name: getattr(properties, name) for name in ("text_activation", "text_eps")}
    info = replace(info, vision=vision, text=text, notes=(*info.notes, *notes), sources=sources, **values)
    info = replace(info, problem=info.problem or (refused[0] if refused else ""))
    if info.space is None:
        activation = None if winners["activation"] == "assumed" else properties.activation
        if space := find_space(info, activation, has_other_text):
            return replace(info, space=space[0], sources={**sources, "space": space[1]})
    return info


def _sources(info: CheckpointInfo, winners: Mapping[str, Source], shapes: Source) -> dict[str, Source]:
    """The source of each property that the model has. shapes: where its sizes come from."""
    vision = info.vision
    sources: dict[str, Source] = {"shapes": shapes}
    both = info.vision is not None and info.text is not None
    stated = {name: source for name, source in winners.items() if both or name not in ("text_activation", "text_eps")}
    sources |= {name: source for name, source in stated.items() if source != "assumed"}
    # without a text encoder SigLIP and SigLIP 2 cannot be distinguished
    is_family_assumed = info.family == "siglip" and info.text is None and shapes == "header"
    sources["family"] = "assumed" if is_family_assumed else shapes
    for name, source in winners.items():
        if source == "assumed" and (vision or name not in _VISION_ONLY) and name not in ("text_activation", "text_eps"):
            sources[name] = source
    # a position table determines the size, except for SigLIP's 378 or 384 px; DINOv3 has none
    is_size_known = vision is not None and info.family != "dinov3" and vision.image_size % vision.patch == 0
    if is_size_known and sources["image_size"] == "assumed":
        sources["image_size"] = shapes
    return sources
