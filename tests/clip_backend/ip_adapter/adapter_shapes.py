"""The published IP-Adapters: names and shapes of their tensors, and what must be read from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ..checkpoints.tensor_names import Shapes, linear, norm, under

#: The widths of the cross-attention layers in the order of the files: down, up, middle.
SD15_WIDTHS = (320, 320, 640, 640, 1280, 1280, *[1280] * 3, *[640] * 3, *[320] * 3, 1280)
SDXL_WIDTHS = (*[640] * 4, *[1280] * 20, *[1280] * 30, *[640] * 6, *[1280] * 10)
LORA_RANK = 128


def pairs(widths: tuple[int, ...], context: int) -> Shapes:
    """The key and value weights of a UNet, numbered 1, 3, 5, …"""
    return {
        f"ip_adapter.{2 * place + 1}.to_{letter}_ip.weight": (width, context)
        for place, width in enumerate(widths)
        for letter in "kv"
    }


def lora(widths: tuple[int, ...], context: int, rank: int = LORA_RANK) -> Shapes:
    """The LoRA of both attentions of every layer: even numbers attend to themselves, odd ones to the text."""
    found: Shapes = {}
    for number, width in ((2 * place + odd, width) for place, width in enumerate(widths) for odd in (0, 1)):
        for letter in ("q", "k", "v", "out"):
            into = context if number % 2 and letter in "kv" else width
            found[f"ip_adapter.{number}.to_{letter}_lora.down.weight"] = (rank, into)
            found[f"ip_adapter.{number}.to_{letter}_lora.up.weight"] = (width, rank)
    return found


def linear_projection(into: int, context: int, tokens: int = 4) -> Shapes:
    return under("image_proj.", linear("proj", tokens * context, into) | norm("norm", context))


def mlp_projection(into: int, hidden: int, tokens: int, context: int) -> Shapes:
    """Of FaceID, and of InstantX for FLUX."""
    products = linear("proj.0", hidden, into) | linear("proj.2", tokens * context, hidden)
    return under("image_proj.", products | norm("norm", context))


def full_face_projection(into: int, context: int) -> Shapes:
    products = linear("proj.0", into, into) | linear("proj.2", context, into)
    return under("image_proj.", products | norm("proj.3", context))


def perceiver(into: int, width: int, heads: int, out: int, depth: int = 4) -> Shapes:
    shapes = linear("proj_in", width, into) | linear("proj_out", out, width) | norm("norm_out", out)
    for layer in range(depth):
        attention, forward = f"layers.{layer}.0", f"layers.{layer}.1"
        shapes |= norm(f"{attention}.norm1", width) | norm(f"{attention}.norm2", width) | norm(f"{forward}.0", width)
        shapes |= {
            f"{attention}.to_q.weight": (64 * heads, width),
            f"{attention}.to_kv.weight": (128 * heads, width),
            f"{attention}.to_out.weight": (width, 64 * heads),
            f"{forward}.1.weight": (4 * width, width),
            f"{forward}.3.weight": (width, 4 * width),
        }
    return shapes


def resampler(into: int, width: int, heads: int, out: int, tokens: int = 16, depth: int = 4) -> Shapes:
    return under("image_proj.", {"latents": (1, tokens, width)} | perceiver(into, width, heads, out, depth))


def face_plus(context: int, into: int = 1280, tokens: int = 4, face: int = 512) -> Shapes:
    inner = under("image_proj.perceiver_resampler.", perceiver(into, context, context // 64, context))
    return mlp_projection(face, 2 * face, tokens, context) | inner


def xlabs(tokens: int, blocks: int = 19, width: int = 3072, context: int = 4096, into: int = 768) -> Shapes:
    shapes = under("ip_adapter_proj_model.", linear("proj", tokens * context, into) | norm("norm", context))
    for block in range(blocks):
        root = f"double_blocks.{block}.processor.ip_adapter_double_stream_"
        shapes |= linear(f"{root}k_proj", width, context) | linear(f"{root}v_proj", width, context)
    return shapes


def block_pairs(count: int, width: int, context: int) -> Shapes:
    return {f"ip_adapter.{n}.to_{letter}_ip.weight": (width, context) for n in range(count) for letter in "kv"}


def instantx_sd35() -> Shapes:
    """A resampler whose layers and tokens change with the step, and blocks with norms of their own."""
    shapes = resampler(1152, 1280, 20, 2432, tokens=64)
    inner = linear("time_embedding.linear_1", 1280, 320) | linear("time_embedding.linear_2", 1280, 1280)
    for layer in range(4):
        inner |= linear(f"layers.{layer}.2.1", 4 * 1280, 1280)
    shapes |= under("image_proj.", inner) | block_pairs(38, 2432, 2432)
    for block in range(38):
        shapes |= linear(f"ip_adapter.{block}.norm_ip.linear", 4864, 1280)
        shapes |= {f"ip_adapter.{block}.{name}.weight": (64,) for name in ("norm_q", "norm_k", "norm_ip_k")}
    return shapes


def kolors_faceid() -> Shapes:
    named = face_plus(4096, into=1024, tokens=6) | pairs(SDXL_WIDTHS, 2048)
    return {name.replace("ip_adapter.", "adapter_modules."): shape for name, shape in named.items()}


SD15, SDXL = pairs(SD15_WIDTHS, 768), pairs(SDXL_WIDTHS, 2048)
LORA15, LORAXL = lora(SD15_WIDTHS, 768), lora(SDXL_WIDTHS, 2048)
H, G, L, L336, SIGLIP = (
    "CLIP ViT-H/14", "CLIP ViT-bigG/14", "CLIP ViT-L/14", "CLIP ViT-L/14 336", "SigLIP so400m 384",
)  # fmt: skip
PLUSES = ("plus", "plus-face", "composition")
FACE_PLUSES = ("faceid-plus", "faceid-plus-v2")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published file."""

    file: str
    shapes: Callable[[], Shapes]
    #: The variants with such tensors, that of the file first.
    variants: tuple[str, ...]
    family: str
    tokens: int | None
    picture_input: str
    input_width: int
    context: int
    encoder: str | None
    #: In float16, without the header; None if it is not known.
    size: int | None = None
    lora_rank: int = 0


def row(
    file: str, projection: Shapes, rest: Shapes, variants: tuple[str, ...], family: str, tokens: int | None,
    reads: tuple[str, int], encoder: str | None, size: int | None = None, context: int | None = None, rank: int = 0,
) -> Published:  # fmt: skip
    """A file with these tensors."""
    width = context or {"sd15": 768, "sdxl": 2048, "flux": 4096, "sd35": 2432}[family]
    return Published(
        file=file, shapes=lambda: projection | rest, variants=variants, family=family, tokens=tokens,
        picture_input=reads[0], input_width=reads[1], context=width, encoder=encoder, size=size, lora_rank=rank,
    )  # fmt: skip


EMBEDS_H, EMBEDS_G, STATES_H, FACE = ("embeds", 1024), ("embeds", 1280), ("penultimate", 1280), ("face", 512)
BOTH = ("face+penultimate", 1280)
PUBLISHED: tuple[Published, ...] = (
    row("ip-adapter_sd15", linear_projection(1024, 768), SD15, ("base", "light"), "sd15", 4, EMBEDS_H, H, 44_639_232),
    row("ip-adapter_sd15_light", linear_projection(1024, 768), SD15, ("light", "base"), "sd15", 4, EMBEDS_H, H,
        44_639_232),
    row("ip-adapter_sd15_light_v11", linear_projection(1024, 768), SD15, ("light", "base"), "sd15", 4, EMBEDS_H, H,
        44_639_232),
    row("ip-adapter_sd15_vit-G", linear_projection(1280, 768), SD15, ("base",), "sd15", 4, EMBEDS_G, G, 46_212_096),
    row("ip-adapter-plus_sd15", resampler(1280, 768, 12, 768), SD15, PLUSES, "sd15", 16, STATES_H, H, 98_174_976),
    row("ip-adapter-plus-face_sd15", resampler(1280, 768, 12, 768), SD15, ("plus-face", "plus", "composition"), "sd15",
        16, STATES_H, H, 98_174_976),
    row("ip-adapter-full-face_sd15", full_face_projection(1280, 768), SD15, ("full-face",), "sd15", None, STATES_H, H,
        43_588_608),
    row("ip_plus_composition_sd15", resampler(1280, 768, 12, 768), SD15, ("composition", "plus", "plus-face"), "sd15",
        16, STATES_H, H),
    row("ip-adapter_sdxl", linear_projection(1280, 2048), SDXL, ("base",), "sdxl", 4, EMBEDS_G, G, 702_570_496),
    row("ip-adapter_sdxl_vit-h", linear_projection(1024, 2048), SDXL, ("base",), "sdxl", 4, EMBEDS_H, H, 698_376_192),
    row("ip-adapter-plus_sdxl_vit-h", resampler(1280, 1280, 20, 2048), SDXL, PLUSES, "sdxl", 16, STATES_H, H,
        847_497_728),
    row("ip-adapter-plus-face_sdxl_vit-h", resampler(1280, 1280, 20, 2048), SDXL, ("plus-face", "plus", "composition"),
        "sdxl", 16, STATES_H, H, 847_497_728),
    row("ip_plus_composition_sdxl", resampler(1280, 1280, 20, 2048), SDXL, ("composition", "plus", "plus-face"), "sdxl",
        16, STATES_H, H),
    row("ip-adapter-faceid_sd15", mlp_projection(512, 1024, 4, 768), SD15 | LORA15, ("faceid",), "sd15", 4, FACE, None,
        rank=LORA_RANK),
    row("ip-adapter-faceid_sdxl", mlp_projection(512, 1024, 4, 2048), SDXL | LORAXL, ("faceid",), "sdxl", 4, FACE,
        None, rank=LORA_RANK),
    row("ip-adapter-faceid-plus_sd15", face_plus(768), SD15 | LORA15, FACE_PLUSES, "sd15", 4, BOTH, H, rank=LORA_RANK),
    row("ip-adapter-faceid-plusv2_sd15", face_plus(768), SD15 | LORA15, FACE_PLUSES[::-1], "sd15", 4, BOTH, H,
        rank=LORA_RANK),
    row("ip-adapter-faceid-plusv2_sdxl", face_plus(2048), SDXL | LORAXL, FACE_PLUSES[::-1], "sdxl", 4, BOTH, H,
        rank=LORA_RANK),
    row("ip-adapter-faceid-portrait_sd15", mlp_projection(512, 1024, 16, 768), SD15, ("faceid-portrait",), "sd15", 16,
        FACE, None),
    row("ip-adapter-faceid-portrait_sdxl", mlp_projection(512, 1024, 16, 2048), SDXL, ("faceid-portrait",), "sdxl", 16,
        FACE, None),
    row("ip-adapter-faceid-portrait_sdxl_unnorm", resampler(512, 1280, 20, 2048), SDXL,
        ("faceid-portrait-unnorm", "instantid"), "sdxl", 16, FACE, None),
    row("ip_adapter_plus_general", resampler(1024, 2048, 12, 2048), SDXL, ("kolors-plus",), "sdxl", 16,
        ("penultimate", 1024), L336, 1_013_104_640),
    Published(file="ipa-faceid-plus", shapes=kolors_faceid, variants=("kolors-faceid-plus",), family="sdxl", tokens=6,
              picture_input="face+penultimate", input_width=1024, context=2048, encoder=L336),
    row("flux-ip-adapter", xlabs(4), {}, ("xlabs-flux",), "flux", 4, ("embeds", 768), L, 981_749_760),
    row("flux-ip-adapter-v2", xlabs(16), {}, ("xlabs-flux-v2",), "flux", 16, ("embeds", 768), L, 1_057_345_536),
    row("instantx-flux", mlp_projection(1152, 2304, 128, 4096), block_pairs(57, 3072, 4096), ("instantx-flux",), "flux",
        128, ("pooled", 1152), SIGLIP, 5_291_201_024),
    Published(file="instantx-sd35", shapes=instantx_sd35, variants=("instantx-sd35",), family="sd35", tokens=64,
              picture_input="penultimate", input_width=1152, context=2432, encoder=SIGLIP),
)  # fmt: skip


def bytes_of(shapes: Shapes) -> int:
    """In float16."""
    return 2 * sum(map(prod, shapes.values()))
