"""The tensors of an adapter file, sorted: those of its projection, its key and value weights, its LoRA."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .variants import Numbering

_PROJECTION = ("image_proj", "image_proj_model", "ip_adapter_proj_model")
_ATTENTION = ("ip_adapter", "adapter_modules")
#: What programs put before all names.
_WRAPPERS = ("state_dict", "model", "module")
_PAIR = re.compile(r"(\d{1,4})\.to_([kv])_ip\.(weight|bias)")
_XLABS_PAIR = re.compile(r"double_blocks\.(\d{1,4})\.processor\.ip_adapter_double_stream_([kv])_proj\.(weight|bias)")
_LORA = re.compile(r"(\d{1,4})\.to_(q|k|v|out)_lora\.(down|up)\.weight")
_SD35 = re.compile(r"\d{1,4}\.(norm_ip\.linear\.(weight|bias)|norm_(q|k|ip_k)\.weight)")
#: The four products of an attention layer that a LoRA may change.
LORA_LETTERS = ("q", "k", "v", "out")


@dataclass(frozen=True)
class AdapterNames:
    """The names of a file's tensors by what they are."""

    #: Without the prefix, to the name in the file.
    image_proj: Mapping[str, str] = field(default_factory=dict)
    #: (number, "k" or "v", "weight" or "bias") to the name in the file.
    pairs: Mapping[tuple[int, str, str], str] = field(default_factory=dict)
    #: (number, "q", "k", "v" or "out", "down" or "up") to the name in the file.
    lora: Mapping[tuple[int, str, str], str] = field(default_factory=dict)
    #: Names of tensors of SD 3.5's blocks.
    sd35: tuple[str, ...] = ()
    #: All others.
    foreign: tuple[str, ...] = ()
    is_xlabs: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the pairs, in order."""
        return tuple(sorted({number for number, _, _ in self.pairs}))

    @property
    def numbering(self) -> Numbering:
        """How the pairs are numbered."""
        return "xlabs" if self.is_xlabs else "blocks" if 0 in self.numbers else "unet"


def sort_names(names: Iterable[str]) -> AdapterNames:
    """The names of a file's tensors by what they are; nothing is checked."""
    image_proj: dict[str, str] = {}
    pairs: dict[tuple[int, str, str], str] = {}
    lora: dict[tuple[int, str, str], str] = {}
    sd35, foreign, is_xlabs = [], [], False
    for name in names:
        plain = _unwrapped(name)
        prefix, _, rest = plain.partition(".")
        if prefix in _PROJECTION and rest and rest not in image_proj:
            image_proj[rest] = name
        elif prefix in _ATTENTION and (found := _PAIR.fullmatch(rest)):
            pairs[int(found[1]), found[2], found[3]] = name
        elif prefix in _ATTENTION and (found := _LORA.fullmatch(rest)):
            lora[int(found[1]), found[2], found[3]] = name
        elif prefix in _ATTENTION and _SD35.fullmatch(rest):
            sd35.append(name)
        elif found := _XLABS_PAIR.fullmatch(plain):
            pairs[int(found[1]), found[2], found[3]] = name
            is_xlabs = True
        else:
            foreign.append(name)
    if any(_unwrapped(name).startswith("image_proj_model.") for name in image_proj.values()):
        # a checkpoint of training, which has the model that draws as well
        foreign = [name for name in foreign if not _unwrapped(name).startswith("unet.")]
    return AdapterNames(image_proj, pairs, lora, tuple(sd35), tuple(foreign), is_xlabs)


def _unwrapped(name: str) -> str:
    """The name of a tensor of an adapter without what a program put before it."""
    while True:
        prefix, _, rest = name.partition(".")
        # training keeps the whole adapter, projection included, under its name
        holds_all = prefix == "ip_adapter" and rest.partition(".")[0] in (*_PROJECTION, *_ATTENTION)
        if not rest or not (prefix in _WRAPPERS or holds_all):
            return name
        name = rest


#: What files are that are no adapters, by a name inside; the first that fits.
_FOREIGN: tuple[tuple[str, str], ...] = (
    (r"id_adapter(_attn_layers)?\.", "PuLID, which nodes of its own load"),
    (r"id_encoder\.|lora_weights\.", "PhotoMaker, which ComfyUI's PhotoMakerLoader loads"),
    (r"redux_(up|down)\.", "a FLUX Redux style model, which ComfyUI's StyleModelLoader loads"),
    (r".*(lora_down|lora_up|lora_A|lora_B|lokr_w\d|hada_w\d|\.lora\.(down|up)|lora_(unet|te))", "a LoRA, which LoRA "
     "loaders load"),
    (r"control_model\.|.*controlnet_|.*input_hint_block\.|.*zero_convs?\.|control(lora|_)?", "a ControlNet"),
    (r".*motion_modules\.|.*temporal_transformer\.", "a motion module for animation"),
    (r"(model\.diffusion_model|conditioner|cond_stage_model)\.", "a checkpoint or diffusion model"),
    (r"(conv_in|down_blocks|up_blocks|mid_block|single_blocks|double_blocks|joint_blocks|transformer_blocks|"
     r"single_transformer_blocks|input_blocks|output_blocks|time_embed|diffusion_model)\.", "a diffusion model"),
    (r"(first_stage_model\.)?(encoder\.(down|conv_in|mid|down_blocks)|decoder\.(up|conv_in|mid|up_blocks))\b", "a VAE"),
    (r"vision_model\.|visual\.|(model\.)?image_encoder\.", "a vision encoder, to be chosen as such"),
    (r"text_model\.|(encoder\.)?block\.\d|token_embedding\.|transformer\.resblocks\.|shared\.|(model\.)?embed_tokens|"
     r"model\.layers\.\d", "a text encoder or language model"),
    (r"emb_params|string_to_param|clip_[lg]$", "a textual inversion embedding"),
    (r"body\.\d|adapter\.body|conv_first\.|model\.\d|RRDB|upsample", "an upscaler or a T2I adapter"),
)  # fmt: skip
_CURE = "choose an IP-Adapter file, such as ip-adapter-plus_sd15.safetensors"


def foreign_reason(names: Iterable[str]) -> str:
    """Why a file with these tensors is no adapter: what it is, the names seen, and the cure."""
    listed = list(names)
    seen = ", ".join(name[:60] for name in listed[:3]) + (", …" if len(listed) > 3 else "")
    kinds = (kind for pattern, kind in _FOREIGN if any(re.match(pattern, name) for name in listed))
    kind = next(kinds, "")
    what = f"no IP-Adapter but {kind}" if kind else "no IP-Adapter"
    tensors = "tensor" if len(listed) == 1 else "tensors"
    return f"{what} ({len(listed):,} {tensors}: {seen}); {_CURE}"
