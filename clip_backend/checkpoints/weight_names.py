"""Where each tensor of a CLIP or SigLIP model is in its file, by the names of Hugging Face, and which are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .detection import Candidate
from .safetensors_header import Tensors

Shape = tuple[int, ...]
#: LongCLIP keeps the first rows of CLIP's own position table and takes the others from its second table.
LONGCLIP_KEPT_ROWS = 20
_HF = ("vision_model.", "text_model.", "visual_projection.", "text_projection.")
_BARE_HF = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.", "final_layer_norm.", "head.")
#: open_clip and timm outside their layers. A name that ends with a dot stands for weight and bias.
_TOP = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.": "vision_model.embeddings.patch_embedding.",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.": "vision_model.pre_layrnorm.",
    "visual.ln_post.": "vision_model.post_layernorm.",
    "visual.trunk.patch_embed.proj.": "vision_model.embeddings.patch_embedding.",
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.norm.": "vision_model.post_layernorm.",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "visual.trunk.attn_pool.proj.": "vision_model.head.attention.out_proj.",
    "visual.trunk.attn_pool.norm.": "vision_model.head.layernorm.",
    "visual.trunk.attn_pool.mlp.fc1.": "vision_model.head.mlp.fc1.",
    "visual.trunk.attn_pool.mlp.fc2.": "vision_model.head.mlp.fc2.",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.": "text_model.final_layer_norm.",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_TRANSPOSED = {"visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight"}
_LAYER = re.compile(
    r"(?P<encoder>visual\.trunk\.blocks|visual\.transformer\.resblocks|transformer\.resblocks)\.(?P<n>\d+)\."
)
_IN_LAYER = {
    "ln_1.": "layer_norm1.", "ln_2.": "layer_norm2.", "norm1.": "layer_norm1.", "norm2.": "layer_norm2.",
    "attn.out_proj.": "self_attn.out_proj.", "attn.proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.", "mlp.c_proj.": "mlp.fc2.", "mlp.fc1.": "mlp.fc1.", "mlp.fc2.": "mlp.fc2.",
}  # fmt: skip
#: Query, key and value in one tensor.
_FUSED = {
    "attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias", "attn.qkv.weight": "weight", "attn.qkv.bias": "bias",
}  # fmt: skip


class TensorPart(NamedTuple):
    """Rows of a tensor of the file; all of them if ``stop`` is None."""

    name: str
    start: int = 0
    stop: int | None = None


class TensorSource(NamedTuple):
    """A tensor of the model: parts of the file, one below the other, perhaps to be transposed."""

    parts: tuple[TensorPart, ...]
    is_transposed: bool = False


def tensor_sources(shapes: Mapping[str, Shape], prefix: str = "") -> dict[str, TensorSource]:
    """Hugging Face's name of every known tensor, and where it is in the file.

    shapes: of all tensors of the file, by their names there. Names without the prefix, and buffers, are left out.
    """
    below = {name[len(prefix) :]: name for name in shapes if name.startswith(prefix)}
    # open_clip's text encoder has the same names at the top or, in newer models, below "text."
    in_file = _with_encoder({name.removeprefix("text."): stored for name, stored in below.items()})
    sources: dict[str, TensorSource] = {}
    for name, stored in in_file.items():
        for target, source in _renamed(name, stored, shapes[stored]):
            sources[target] = source
    # tensors that are made of two tensors of the file
    for kind in ("weight", "bias"):
        query, key_value = (in_file.get(f"visual.trunk.attn_pool.{part}.{kind}") for part in ("q", "kv"))
        if query and key_value:
            pair = TensorPart(query), TensorPart(key_value)
            sources[f"vision_model.head.attention.in_proj_{kind}"] = TensorSource(pair)
    first, second = in_file.get("positional_embedding"), in_file.get("positional_embedding_res")
    if first and second and shapes[second]:
        kept = TensorPart(first, 0, LONGCLIP_KEPT_ROWS)
        rest = TensorPart(second, LONGCLIP_KEPT_ROWS, shapes[second][0])
        sources["text_model.embeddings.position_embedding.weight"] = TensorSource((kept, rest))
    return sources


def _with_encoder(names: Mapping[str, str]) -> dict[str, str]:
    """In a file of one encoder its name is put in front of the names of tensors, as in a whole model."""
    if "conv1.weight" in names or "trunk.pos_embed" in names:
        return {f"visual.{name}": stored for name, stored in names.items()}
    for table, encoder in (("patch", "vision_model."), ("token", "text_model.")):
        if f"embeddings.{table}_embedding.weight" in names:
            return {encoder + name if name.startswith(_BARE_HF) else name: stored for name, stored in names.items()}
    return dict(names)


def _renamed(name: str, stored: str, shape: Shape) -> Iterator[tuple[str, TensorSource]]:
    whole = TensorSource((TensorPart(stored),))
    if name in _TRANSPOSED:
        yield _TRANSPOSED[name], TensorSource(whole.parts, is_transposed=True)
    elif stored.endswith("text.text_projection.weight") or name == "text_projection.bias":
        # what Hugging Face calls the head of SigLIP's text encoder
        yield name.replace("text_projection", "text_model.head"), whole
    elif name.startswith(_HF):
        yield name, whole
    elif match := _LAYER.match(name):
        encoder, rest = "vision_model" if match["encoder"].startswith("visual") else "text_model", name[match.end() :]
        layer = f"{encoder}.encoder.layers.{match['n']}."
        if rest in _FUSED:
            rows = shape[0] // 3 if shape else 0
            for index, part in enumerate("qkv"):
                third = TensorPart(stored, index * rows, (index + 1) * rows)
                yield f"{layer}self_attn.{part}_proj.{_FUSED[rest]}", TensorSource((third,))
        elif target := _looked_up(_IN_LAYER, rest):
            yield layer + target, whole
    elif target := _looked_up(_TOP, name):
        yield target, whole


def _looked_up(table: Mapping[str, str], name: str) -> str | None:
    stem, dot, last = name.rpartition(".")
    if name in table:
        return table[name]
    return table[stem + dot] + last if last in ("weight", "bias") and stem + dot in table else None


_NORM = r"\.(weight|bias)"
_BLOCK = rf"encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|layer_norm[12]|mlp\.fc[12]){_NORM}"
_HEAD = rf"head\.(probe|attention\.in_proj_(weight|bias)|(attention\.out_proj|layernorm|mlp\.fc[12]){_NORM})"
_TABLES = r"embeddings\.(token|position)_embedding\.weight"
#: The names of Hugging Face that towers.py has, by the kind of encoder.
_READ = {
    ("vision", "clip"): re.compile(
        r"visual_projection\.weight|vision_model\.(embeddings\.(class_embedding|(patch|position)_embedding\.weight)"
        rf"|(pre_layrnorm|post_layernorm){_NORM}|{_BLOCK})"
    ),
    ("vision", "siglip"): re.compile(
        r"vision_model\.(embeddings\.(patch_embedding\.(weight|bias)|position_embedding\.weight)"
        rf"|post_layernorm{_NORM}|{_BLOCK}|{_HEAD})"
    ),
    ("text", "clip"): re.compile(rf"text_projection\.weight|text_model\.({_TABLES}|final_layer_norm{_NORM}|{_BLOCK})"),
    ("text", "siglip"): re.compile(rf"text_model\.({_TABLES}|(final_layer_norm|head){_NORM}|{_BLOCK})"),
}
#: The numbers by which cosines become logits, beside the encoders.
LOGITS = ("logit_scale", "logit_bias")
#: Buffers that are computed anew or that only training needs, and the scale and bias of the logits.
_HARMLESS = re.compile(
    r"(.+\.)?(position_ids|attn_mask|num_batches_tracked|mask_token|input_resolution|context_length|vocab_size)"
    r"|(text\.)?logit_(scale|bias)"
)
_CLASSIFIER = ("classifier.", "score.")
_OPEN_CLIP_TEXT = (
    "text.", "transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection", "cls_emb",
)  # fmt: skip
#: How the note about a text encoder that is not read begins.
OTHER_TEXT = "its text encoder is of another kind"
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


def is_parameter(name: str) -> bool:
    """Whether Hugging Face's name is that of a weight of CLIP or SigLIP as it is read here."""
    return name in LOGITS or any(pattern.fullmatch(name) for pattern in _READ.values())


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
        notes.append(f"{OTHER_TEXT} ({shown}) and is not read; it is for pictures only")
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
