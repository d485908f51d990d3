"""Which parameters of a model a LoRA or a file of trained weights changes, by its header.

Our own files and those of PEFT, kohya and diffusers are read; ``trained_weights.py`` merges and writes.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ...errors import CheckpointError, InputError, SpaceError
from ...json_text import JsonError, parse_object
from .safetensors_header import TensorEntry, Tensors, read_exactly, read_header, reading
from .training import ADAPTER_WEIGHTS, Kind, LowRank, Rule, TrainedFile, TrainedOn, Training
from .weight_names import is_parameter

#: Version of the metadata in our own files; another version is refused.
VERSION = "1"
PREFIX = "clip_grid."
ADAPTER_CONFIG = "adapter_config.json"
#: What other programs put in front of the names of a CLIP's parameters.
_BEFORE = re.compile(r"(base_model\.model\.|text_encoders\.clip_[lgh]\.transformer\.|text_encoder(_2)?\.)")
#: The two matrices of a LoRA, after the name of the module.
_MATRIX = re.compile(
    r"(?P<module>.+?)(\.lora_|_lora\.|\.lora\.|\.lora_linear_layer\.)(?P<matrix>down|up|A|B)(\.default)?\.weight"
)
_ALPHA = ".alpha"
#: A module of the text encoder in a kohya file, which has no dots.
_KOHYA = re.compile(r"lora_(?P<encoder>te[12]?)_(?P<module>text_projection|text_model_encoder_layers_.+)")
_KOHYA_LAYER = re.compile(r"text_model_encoder_layers_(\d+)_(self_attn|mlp)_((?:q|k|v|out)_proj|fc[12])")
#: Names of modules of the diffusion model, and of text encoders of other kinds.
_NOT_CLIP = re.compile(
    r"(lora_unet_|unet\.|diffusion_model\.|transformer\.|lora_transformer_|lora_te3_|text_encoders\.)"
)
#: Changes that are no plain LoRA, by what names of tensors hold.
_OTHER_KINDS = {
    "a DoRA": re.compile(r"dora_scale|lora_magnitude_vector"),
    "a LoHa": re.compile(r"hada_w"),
    "a LoKr": re.compile(r"lokr_"),
    "a LoCon with a middle matrix": re.compile(r"lora_mid"),
    "a difference of whole weights": re.compile(r"\.(diff|diff_b|set_weight)$"),
    "a LoRA of embeddings": re.compile(r"lora_embedding_[AB]"),
}
_NUMBERS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
_PIECE = 1 << 20
#: Characters of a pattern of PEFT, and repetitions in it.
_MOST_PATTERN, _MOST_REPEATS = 200, 2


def is_trained_file(path: Path) -> bool:
    """Whether it is a LoRA, a folder of PEFT or a file of trained weights, by its header; never raises."""
    if path.is_dir():
        return (path / ADAPTER_CONFIG).is_file()
    if path.suffix.lower() not in (".safetensors", ".sft") or not path.is_file():
        return False
    try:
        tensors, metadata = read_header(path)
    except CheckpointError:
        return False
    return f"{PREFIX}kind" in metadata or any(_MATRIX.fullmatch(name) for name in tensors)


def read_trained_file(path: Path, *, text_width: int | None = None) -> TrainedFile:
    """What a LoRA or a file of trained weights changes.

    path: our own file, a folder of PEFT, or a file of kohya, diffusers or ComfyUI. text_width: of the model that it is
    for, by which one of several text encoders in a file is chosen; else the first.
    Raises CheckpointError for what is none of these, for a change of another kind and for parameters that no CLIP has.
    """
    file = path / ADAPTER_WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise CheckpointError(str(file), "is not there, or no file; check the path")
    tensors, metadata = read_header(file)
    for what, pattern in _OTHER_KINDS.items():
        if name := next((name for name in tensors if pattern.search(name)), ""):
            raise CheckpointError(
                str(path), f"it is {what} ({name[:80]}), not a plain LoRA; merge it where it was made"
            )
    if path.is_dir():
        return _of_peft(path, tensors)
    if f"{PREFIX}kind" in metadata:
        return _of_ours(path, tensors, metadata)
    return replace(_of_others(path, tensors, text_width), base=_base(_told(metadata)))


def training_of(file: TrainedFile, strength: float | None = None) -> Training:
    """The file at a strength, else at that which training chose; raises InputError for one that is not finite."""
    strength = file.strength if strength is None else float(strength)
    if not math.isfinite(strength):
        raise InputError(f"the strength is {strength}; give a number such as 1")
    return Training(file=file, strength=strength)


def check_same(file: TrainedFile, what: str, told: str, own: str) -> None:
    """Raises SpaceError, with both fingerprints, if a file was trained with another tokenizer or preparation.

    told: the fingerprint that it states; empty if it states none. own: that of the model as it is loaded.
    """
    if told and told != own:
        raise SpaceError(
            f"{file.path} was trained with the {what} {told}, and this model has {own}; load the model as it was when "
            "it was trained, or train again"
        )


def hashed(training: Training) -> Training:
    """A copy with the hash of its file; raises CheckpointError if it cannot be read."""
    digest = hashlib.sha256()
    with reading(training.file.file) as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return replace(training, digest=digest.hexdigest())


@dataclass(frozen=True)
class _Names:
    """The tensors of a file by the modules that they belong to."""

    #: By module: its matrices [r, in] and [out, r], and its alpha.
    down: dict[str, TensorEntry]
    up: dict[str, TensorEntry]
    alpha: dict[str, TensorEntry]
    #: All other tensors, by their names as Hugging Face has them.
    whole: dict[str, TensorEntry]


def _sorted_out(named: Mapping[str, TensorEntry]) -> _Names:
    """named: by names that begin as Hugging Face's do."""
    names = _Names({}, {}, {}, {})
    for name, entry in named.items():
        if match := _MATRIX.fullmatch(name):
            matrices = names.down if match["matrix"] in ("down", "A") else names.up
            matrices[match["module"]] = entry
        elif name.endswith(_ALPHA):
            names.alpha[name.removesuffix(_ALPHA)] = entry
        else:
            names.whole[name] = entry
    return names


def _low_rank(path: Path, names: _Names, alphas: Mapping[str, float], rule: Rule) -> dict[str, LowRank]:
    """The matrices in pairs; without an alpha the factor is 1. Raises CheckpointError for one without its partner."""
    found = {}
    for module in sorted(names.down.keys() | names.up.keys()):
        down, up = names.down.get(module), names.up.get(module)
        if down is None or up is None:
            raise CheckpointError(str(path), f"{module[:100]} has one of its two matrices; the file is incomplete")
        if len(down.shape) != 2 or len(up.shape) != 2 or up.shape[1] != down.shape[0]:
            shapes = f"{list(down.shape)} and {list(up.shape)}"
            raise CheckpointError(str(path), f"the matrices of {module[:100]} are {shapes}; their ranks must be equal")
        rank = down.shape[0]
        alpha = alphas.get(module, float(rank) if rule == "alpha/r" else math.sqrt(rank))
        found[f"{module}.weight"] = LowRank(down=down.name, up=up.name, rank=rank, alpha=alpha, rule=rule)
    return found


def _checked(file: TrainedFile) -> TrainedFile:
    """The file; raises CheckpointError if it changes nothing of a CLIP, or what no CLIP has."""
    if other := next((name for name in file.names if not is_parameter(name)), ""):
        reason = f"it changes {other[:100]}, which no CLIP or SigLIP here has; choose one for CLIP's encoders"
        raise CheckpointError(str(file.path), reason)
    if not file.names:
        raise CheckpointError(str(file.path), "it changes no CLIP; choose one for a text or vision encoder")
    return file


def _told(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(PREFIX): value for name, value in metadata.items() if name.startswith(PREFIX)}


def _base(told: Mapping[str, str]) -> TrainedOn:
    return TrainedOn(
        name=told.get("base", ""),
        fingerprint=told.get("base_fingerprint", ""),
        preprocessing=told.get("preprocessing", ""),
        tokenizer=told.get("tokenizer", ""),
    )


def _of_ours(path: Path, tensors: Tensors, metadata: Mapping[str, str]) -> TrainedFile:
    told = _told(metadata)
    version = told.get("version", "")
    if version != VERSION:
        reason = f"it is a trained file of version {version!r}, and {VERSION} is read; update clip-grid or train again"
        raise CheckpointError(str(path), reason)
    kind, rule = told["kind"], told.get("rule", "alpha/r")
    try:
        strength, alpha = float(told.get("strength", "1")), float(told.get("alpha", "1"))
    except ValueError as error:
        raise CheckpointError(str(path), f"its metadata are damaged ({error}); fetch it again") from error
    names = _sorted_out(tensors)
    is_known = kind in get_args(Kind) and rule in get_args(Rule) and math.isfinite(strength + alpha)
    if not is_known or (kind == "weights" and names.down):
        raise CheckpointError(str(path), f"its metadata name the kind {kind!r} and the rule {rule!r}; train again")
    return _checked(
        TrainedFile(
            path=path,
            kind="lora" if kind == "lora" else "weights",
            low_rank=_low_rank(path, names, dict.fromkeys(names.down, alpha), _rule(rule == "alpha/sqrt(r)")),
            whole={name: entry.name for name, entry in names.whole.items()},
            strength=strength,
            base=_base(told),
        )
    )


def _rule(is_rank_stabilized: bool) -> Rule:
    return "alpha/sqrt(r)" if is_rank_stabilized else "alpha/r"


def _of_peft(path: Path, tensors: Tensors) -> TrainedFile:
    """Source: peft, LoraConfig and get_pattern_key.

    ``fan_in_fan_out`` is not read: CLIP's layers are no Conv1D, and of those PEFT ignores it.
    """
    config = _peft_config(path)
    named = {_BEFORE.sub("", name, count=1): entry for name, entry in tensors.items()}
    names = _sorted_out(named)
    patterns, default = config["alpha_pattern"], config["lora_alpha"]
    alphas = {module: float(_by_pattern(module, patterns, default)) for module in names.down}
    return _checked(
        TrainedFile(
            path=path,
            kind="lora",
            low_rank=_low_rank(path, names, alphas, _rule(config["use_rslora"])),
            whole={name: entry.name for name, entry in names.whole.items()},
        )
    )


def _peft_config(path: Path) -> dict[str, Any]:
    """The fields that decide what a LoRA of PEFT computes; raises CheckpointError for one that is not read here."""
    file = path / ADAPTER_CONFIG
    try:
        config = parse_object(file.read_bytes())
    except OSError as error:
        raise CheckpointError(str(file), f"cannot be read ({error.strerror}); it belongs to the folder") from error
    except JsonError as error:
        raise CheckpointError(str(file), f"is damaged ({error}); fetch it again") from error
    if (kind := config.get("peft_type")) != "LORA":
        raise CheckpointError(str(path), f"it is PEFT's {str(kind)[:40]}, not a LoRA; merge it with PEFT")
    if config.get("use_dora"):
        raise CheckpointError(str(path), "it is a DoRA (use_dora), not a plain LoRA; merge it with PEFT")
    alpha = config.get("lora_alpha", 8)
    patterns = config.get("alpha_pattern") or {}
    own = {"lora_alpha": alpha, **(patterns if isinstance(patterns, dict) else {"alpha_pattern": patterns})}
    for name, value in own.items():
        if not _is_number(value):
            raise CheckpointError(str(file), f"its {name[:40]} is {str(value)[:40]}; fetch it again")
    for pattern in patterns:
        _check_pattern(file, pattern)
    return {"lora_alpha": alpha, "alpha_pattern": patterns, "use_rslora": bool(config.get("use_rslora"))}


def _is_number(value: object) -> bool:
    # a whole number may be too large for a float
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e30 < value < 1e30


def _check_pattern(file: Path, pattern: str) -> None:
    """Raises CheckpointError for a regular expression that is none, or that might be tried in endlessly many ways."""
    is_nested = re.search(r"\)[*+?{]", pattern) is not None
    if is_nested or len(pattern) > _MOST_PATTERN or len(re.findall(r"[*+?{]", pattern)) > _MOST_REPEATS:
        reason = f"its alpha_pattern {pattern[:80]!r} is too complex to be read; merge it with PEFT"
        raise CheckpointError(str(file), reason)
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise CheckpointError(str(file), f"its alpha_pattern {pattern[:80]!r} is damaged ({error})") from error


def _by_pattern(module: str, patterns: Mapping[str, Any], default: float) -> float:
    """The value of the first pattern that ends a module's name."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return float(value)
    return default


def _of_others(path: Path, tensors: Tensors, text_width: int | None) -> TrainedFile:
    """A file of kohya, diffusers or ComfyUI, which may hold several text encoders, and mostly a denoiser."""
    encoders: dict[str, dict[str, TensorEntry]] = {}
    others = 0
    for name, entry in tensors.items():
        place = _place(name)
        if place is None:
            others += 1
        else:
            encoders.setdefault(place[0], {})[place[1]] = entry
    names = {encoder: _sorted_out(named) for encoder, named in encoders.items()}
    widths = {encoder: _width(one) for encoder, one in names.items()}
    chosen = next((encoder for encoder in sorted(names) if widths[encoder] == text_width), min(names, default=""))
    notes = [f"its {others:,} tensors of other models are not used"] if others else []
    notes += [f"its text encoder {other} is not used" for other in sorted(names) if other != chosen]
    found = names.get(chosen, _Names({}, {}, {}, {}))
    alphas = {module: _scalar(path, entry) for module, entry in found.alpha.items()}
    whole = {name: entry.name for name, entry in found.whole.items()}
    low_rank = _low_rank(path, found, alphas, "alpha/r")
    return _checked(TrainedFile(path=path, kind="lora", low_rank=low_rank, whole=whole, notes=tuple(notes)))


def _place(name: str) -> tuple[str, str] | None:
    """The encoder that a tensor belongs to, and its name as Hugging Face has it; None for what belongs to no CLIP."""
    module, dot, rest = name.partition(".")
    if match := _KOHYA.fullmatch(module):
        layer = _KOHYA_LAYER.fullmatch(match["module"])
        own = f"text_model.encoder.layers.{layer[1]}.{layer[2]}.{layer[3]}" if layer else match["module"]
        return match["encoder"].removesuffix("1"), own + dot + rest
    if match := _BEFORE.match(name):
        second = match[0] == "text_encoder_2." or ".clip_g." in match[0]
        return "te2" if second else "te", name[match.end() :]
    return None if _NOT_CLIP.match(name) else ("te", name)


def _width(names: _Names) -> int | None:
    """The width of the text encoder that some matrices are for."""
    attention = (entry for module, entry in names.down.items() if ".self_attn." in module)
    return next((entry.shape[-1] for entry in attention if entry.shape), None)


def _scalar(path: Path, entry: TensorEntry) -> float:
    """The one number of a tensor."""
    kind = _NUMBERS.get(entry.dtype)
    if entry.count != 1 or (kind is None and entry.dtype != "BF16"):
        raise CheckpointError(
            str(path), f"{entry.name[:100]} is {entry.dtype} {list(entry.shape)}; it must be a number"
        )
    with reading(entry.path) as file:
        file.seek(entry.begin)
        raw = read_exactly(entry.path, file, entry.end - entry.begin)
    if kind is None:
        return float((np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")[0])
    return float(np.frombuffer(raw, kind)[0])


def metadata_of(kind: Kind, base: TrainedOn, *, strength: float, alpha: float, rule: Rule) -> dict[str, str]:
    """What our own files say about themselves."""
    told = {
        "version": VERSION, "kind": kind, "strength": repr(float(strength)), "base": base.name,
        "base_fingerprint": base.fingerprint, "preprocessing": base.preprocessing, "tokenizer": base.tokenizer,
    }  # fmt: skip
    told |= {"alpha": repr(float(alpha)), "rule": rule} if kind == "lora" else {}
    return {f"{PREFIX}{name}": value for name, value in told.items()}
