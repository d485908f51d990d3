"""What a user is told about a recognised model: why it cannot be used, and what to know before using it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .candidates import Candidate, Tensors, projection_size
from .prefixes import BuiltIn
from .safetensors_header import TensorEntry
from .spaces import Towers

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
