"""Tensors of a model that no encoder here reads: those inside an encoder refuse the file, others are noted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .detection import Candidate
from .safetensors_header import Tensors
from .weight_names import tensor_sources

_NORM = r"\.(weight|bias)"
_LAYER = rf"encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|layer_norm[12]|mlp\.fc[12]){_NORM}"
_HEAD = rf"head\.(probe|attention\.in_proj_(weight|bias)|(attention\.out_proj|layernorm|mlp\.fc[12]){_NORM})"
_TABLES = r"embeddings\.(token|position)_embedding\.weight"
#: The names of Hugging Face that towers.py has, by the kind of encoder.
_READ = {
    ("vision", "clip"): re.compile(
        r"visual_projection\.weight|vision_model\.(embeddings\.(class_embedding|(patch|position)_embedding\.weight)"
        rf"|(pre_layrnorm|post_layernorm){_NORM}|{_LAYER})"
    ),
    ("vision", "siglip"): re.compile(
        r"vision_model\.(embeddings\.(patch_embedding\.(weight|bias)|position_embedding\.weight)"
        rf"|post_layernorm{_NORM}|{_LAYER}|{_HEAD})"
    ),
    ("text", "clip"): re.compile(rf"text_projection\.weight|text_model\.({_TABLES}|final_layer_norm{_NORM}|{_LAYER})"),
    ("text", "siglip"): re.compile(rf"text_model\.({_TABLES}|(final_layer_norm|head){_NORM}|{_LAYER})"),
}
#: Buffers that are computed anew or that only training needs, and the scale and bias of the logits.
_HARMLESS = re.compile(
    r"(.+\.)?(position_ids|attn_mask|num_batches_tracked|mask_token|input_resolution|context_length|vocab_size)"
    r"|(text\.)?logit_(scale|bias)"
)
_CLASSIFIER = ("classifier.", "score.")
_OPEN_CLIP_TEXT = (
    "text.", "transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection", "cls_emb",
)  # fmt: skip
_SHOWN = 3
_PLAIN = "choose a CLIP or SigLIP model with a plain vision transformer, such as ViT-L-14"
_MERGE = "merge it into the weights where it was trained, and save the model again"
_WHOLE = "choose the same model in float16, bfloat16 or float32"
#: What names of tensors mean, and the cure, the more particular first.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"lora_|hada_|\.lokr_|\.dora", "a LoRA that is not merged", _MERGE),
    (r"scale_weight|weight_scale|scale_input|qweight|qzeros|absmax|quant_|\.SCB$", "quantised weights", _WHOLE),
    (r"\.(theta|r)$", "the weights of GmP, which are split into length and direction",
     "choose the version that was converted back, such as the model.safetensors of CLIP-GmP-ViT-L-14"),
    (r"parametrizations\.", "weights under a parametrization of torch", _MERGE),
    (r"attn_pool|attnpool", "attention pooling, as PE-Core and CoCa have it", _PLAIN),
    (r"(q|k|query|key)_(layer)?norm\.|\.(ln|norm)_[qk]\.", "norms of queries and keys (qk_norm)", _PLAIN),
    (r"reg(ister)?_tokens?|storage_tokens", "register tokens", _PLAIN),
    (r"mlp\.(w12|w[123]|gate_proj|up_proj|down_proj|fc1_[gx]|weights_(in|out))", "gated MLPs", _PLAIN),
    (r"\.(ls_?[12]|gamma_?[12]|layer_scale_?[12])\b", "layer scale", _PLAIN),
    (r"rope|freqs|inv_freq|class_pos_emb|rel_pos|relative_position", "rotary or relative positions", _PLAIN),
    (r"attn\.(logit_scale|head_scale)|ln_inner|ln_attn|mlp\.ln\.", "scaled attention", _PLAIN),
    (r"cls_emb", "a class token for texts, as CoCa has it", _PLAIN),
    (r"adapter", "adapter layers", _PLAIN),
    (r"projection\.bias", "a projection with a bias", _PLAIN),
)  # fmt: skip


@dataclass(frozen=True)
class Unread:
    """The names of a model's tensors that are not read, as the file has them."""

    #: Inside of the vision encoder, and of the text encoder.
    vision: Sequence[str] = ()
    text: Sequence[str] = ()
    #: Beside the encoders, such as a classifier.
    others: Sequence[str] = ()


def unread_tensors(candidate: Candidate, tensors: Tensors) -> Unread:
    """What the encoders of CLIP and SigLIP do not take of a model; nothing for DINO, whose loader checks it."""
    prefix, kind = candidate.prefix, "clip" if candidate.family == "clip" else "siglip"
    if candidate.family not in ("clip", "siglip"):
        return Unread()
    patterns = [_READ[row.part, kind] for row in candidate.encoders]
    sources = tensor_sources({name: entry.shape for name, entry in tensors.items()}, prefix)
    read = {
        part.name
        for name, source in sources.items()
        if any(pattern.fullmatch(name) for pattern in patterns)
        for part in source.parts
    }
    found: dict[str, list[str]] = {"vision": [], "text": [], "": []}
    for name in tensors:
        below = name[len(prefix) :]
        if name.startswith(prefix) and name not in read and not _HARMLESS.fullmatch(below):
            found[_part(candidate, below)].append(name)
    return Unread(found["vision"], found["text"], found[""])


def _part(candidate: Candidate, name: str) -> str:
    """The encoder that a tensor belongs to by its name after the prefix; empty if to none."""
    if candidate.layout.endswith("-bare"):
        is_head = not candidate.prefix and name.startswith(_CLASSIFIER)
        return "" if is_head else candidate.encoders[0].part
    if name.startswith(("vision_model.", "visual_projection") if candidate.layout.startswith("hf") else "visual."):
        return "vision"
    texts = ("text_model.", "text_projection") if candidate.layout.startswith("hf") else _OPEN_CLIP_TEXT
    return "text" if name.startswith(texts) else ""


def unread_problem(candidate: Candidate, unread: Unread) -> str:
    """Why tensors that are not read refuse the file; empty if they do not.

    A text encoder that is not read as a whole is no problem: its model is for pictures.
    """
    if unread.vision and candidate.vision is None:
        return f"its vision encoder is of another kind ({_some(unread.vision)}); {_PLAIN}"
    parts = [("vision", unread.vision), ("text", unread.text if candidate.text else ())]
    for part, names in parts:
        if names:
            what, cure, telling = _meaning(names)
            means = f" ({what})" if what else ""
            shown = _some([*telling, *(name for name in names if name not in telling)])
            return (
                f"its {part} encoder holds {shown}{means}, which is not computed here, so that its embeddings would "
                f"be wrong; {cure}"
            )
    return ""


def unread_notes(candidate: Candidate, unread: Unread) -> list[str]:
    """What to know about tensors that are not read and do not refuse the file."""
    notes = []
    if unread.text and candidate.text is None:
        shown = _some(unread.text)
        notes.append(f"its text encoder is of another kind ({shown}) and is not read; it is for pictures only")
    if unread.others:
        notes.append(f"also holds {_some(unread.others)}, which belongs to no encoder and is not used")
    return notes


def _meaning(names: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    """What some of the tensors are known to be, the cure, and the names of these."""
    for pattern, what, cure in _MEANINGS:
        if telling := [name for name in names if re.search(pattern, name)]:
            return what, cure, telling
    return "", _PLAIN, ()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more tensors" if len(names) > _SHOWN else ""
    return f"{', '.join(name[:100] for name in names[:_SHOWN])}{more}"
