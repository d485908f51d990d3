"""An example of every layout that a model file may have, with what must be read from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .safetensors_files import Entries, size_of, write_sparse
from .tensor_names import (
    Shapes,
    Text,
    Vision,
    coca,
    convnext,
    diffusion_model,
    dinov2,
    dinov3,
    eva01,
    eva02,
    hf_clip,
    hf_clip_vision,
    hf_siglip,
    hf_siglip_text,
    hf_siglip_vision,
    hf_text,
    oc_clip,
    oc_text,
    oc_visual,
    resnet50,
    timm_siglip,
    under,
    without,
)

# the table of sizes: width, layers, mlp, patch, tokens
B32, B16 = Vision(768, 12, 3072, 32, 50), Vision(768, 12, 3072, 16, 197)
L14, L336 = Vision(1024, 24, 4096, 14, 257), Vision(1024, 24, 4096, 14, 577)
H14, H378 = Vision(1280, 32, 5120, 14, 257), Vision(1280, 32, 5120, 14, 730)
G14, BIGG = Vision(1408, 40, 6144, 14, 257), Vision(1664, 48, 8192, 14, 257)
SIG_B16, SIG_L16 = Vision(768, 12, 3072, 16, 196), Vision(1024, 24, 4096, 16, 256)
SO400M, SIG2_G = Vision(1152, 27, 4304, 14, 729), Vision(1536, 40, 6144, 16, 256)
NAFLEX = Vision(768, 12, 3072, 16, 256)
TINY, TINY_SIG = Vision(32, 2, 64, 8, 17), Vision(32, 2, 64, 8, 16)
DINO_B, DINO_L = Vision(768, 12, 3072, 14, 1370), Vision(1024, 24, 4096, 14, 1370)
DINO_G, DINO3_B = Vision(1536, 40, 4096, 14, 1370), Vision(768, 12, 3072, 16, 0)
# width, layers, mlp
T512, T768, T1024, T1280 = Text(512, 12, 2048), Text(768, 12, 3072), Text(1024, 24, 4096), Text(1280, 32, 5120)
LONG = Text(768, 12, 3072, context=248)
S768, S1024, S1152 = (Text(w, n, m, 64, 32000) for w, n, m in ((768, 12, 3072), (1024, 24, 4096), (1152, 27, 4304)))
S2_768, S2_1152 = replace(S768, vocabulary=256000), replace(S1152, vocabulary=256000)
TINY_T, TINY_ST = Text(32, 2, 64, 16, 99), Text(32, 2, 64, 16, 32000)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A model file or folder, and what must be read from it."""

    name: str
    shapes: Callable[[], Shapes]
    family: str = "clip"
    #: Fields of VisionShape and TextShape; None for an encoder that is not there, empty for one that is not checked.
    vision: Mapping[str, int] | None = None
    text: Mapping[str, int] | None = None
    #: The length of an embedding; None if no encoder has a projection.
    projection: int | None = None
    vision_projection: bool = False
    text_projection: bool = False
    #: Whether the package can load it.
    loads: bool = True
    dtype: str = "F32"
    #: Tensors of other types than the rest.
    others: Entries = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: Files of a folder: {name: content}; none for a single file.
    folder: Mapping[str, object] = field(default_factory=dict)
    shards: int = 1
    #: Arguments of read_checkpoint.
    arguments: Mapping[str, str] = field(default_factory=dict)


def entries_of(layout: Layout) -> Entries:
    """The tensors of a layout with the types of their numbers."""
    return {name: (layout.dtype, shape) for name, shape in layout.shapes().items()} | dict(layout.others)


def write_layout(layout: Layout, root: Path) -> Path:
    """The file or folder of a layout, sparse, in ``root`` under its name."""
    entries = entries_of(layout)
    if not layout.folder:
        return write_sparse(root / f"{layout.name}.safetensors", entries, layout.metadata)
    folder = root / layout.name
    names = [name for name in layout.folder if name.endswith(".safetensors")]
    if names:
        write_sparse(folder / names[0], entries, layout.metadata)
    else:
        _write_shards(folder, entries, layout.shards)
    for name, content in layout.folder.items():
        if name not in names:
            (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def _write_shards(folder: Path, entries: Entries, count: int) -> None:
    names = list(entries)
    where: dict[str, str] = {}
    for index in range(count):
        file = f"model-{index + 1:05}-of-{count:05}.safetensors"
        mine = names[index::count]
        write_sparse(folder / file, {name: entries[name] for name in mine}, {"format": "pt"})
        where |= dict.fromkeys(mine, file)
    total = sum(map(size_of, entries.values()))
    index_of = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index_of), "utf-8")


def vision(v: Vision, heads: int, image: int) -> dict[str, int]:
    """The fields of a vision encoder; it has a class token if its tokens are no square number."""
    square = round(v.tokens**0.5) ** 2 == v.tokens
    sizes = {"width": v.width, "layers": v.layers, "mlp": v.mlp, "patch": v.patch, "tokens": v.tokens}
    return sizes | {"heads": heads, "image_size": image, "has_class_token": not square}


def text(t: Text, heads: int) -> dict[str, int]:
    """The fields of a text encoder."""
    sizes = {"width": t.width, "layers": t.layers, "mlp": t.mlp, "heads": heads}
    return sizes | {"context": t.context, "vocabulary": t.vocabulary}


VB32, VB16, VL, VL336 = vision(B32, 12, 224), vision(B16, 12, 224), vision(L14, 16, 224), vision(L336, 16, 336)
VH, VH378, VG14, VBIGG = vision(H14, 16, 224), vision(H378, 16, 378), vision(G14, 16, 224), vision(BIGG, 16, 224)
V_SIG_B, V_SIG_L = vision(SIG_B16, 12, 224), vision(SIG_L16, 16, 256)
V_SO, V_SIG2_G, V_NAFLEX = vision(SO400M, 16, 384), vision(SIG2_G, 16, 256), vision(NAFLEX, 12, 256)
X512, X768, X1024, X1280 = text(T512, 8), text(T768, 12), text(T1024, 16), text(T1280, 20)
XLONG, XS768, XS1024, XS1152 = text(LONG, 12), text(S768, 12), text(S1024, 16), text(S1152, 16)
XS2_768, XS2_1152 = text(S2_768, 12), text(S2_1152, 16)


def pair(name: str, shapes: Callable[[], Shapes], projection: int, **fields: object) -> Layout:
    """A model with two encoders, each with its projection."""
    has = {"vision_projection": True, "text_projection": True}
    return Layout(name=name, shapes=shapes, projection=projection, **has, **fields)


def vision_only(name: str, shapes: Callable[[], Shapes], projection: int | None, **fields: object) -> Layout:
    """A lone vision encoder."""
    return Layout(name=name, shapes=shapes, projection=projection, vision_projection=projection is not None, **fields)


def text_only(name: str, shapes: Callable[[], Shapes], projection: int | None, **fields: object) -> Layout:
    """A lone text encoder."""
    return Layout(name=name, shapes=shapes, projection=projection, text_projection=projection is not None, **fields)


def hf_text_g() -> Shapes:
    return hf_text(T1280) | {"text_projection.weight": (1280, 1280)}


def oc_text_h() -> Shapes:
    return oc_text(T1024, 1024) | {"logit_scale": ()}


def sdxl() -> Shapes:
    """The checkpoint of SDXL: CLIP-L as transformers has it, bigG as open_clip has it."""
    large = under("conditioner.embedders.0.transformer.", hf_text(T768))
    return (
        diffusion_model() | large | under("conditioner.embedders.1.model.", oc_text(T1280, 1280) | {"logit_scale": ()})
    )


def sd3() -> Shapes:
    """A checkpoint of SD3 with its text encoders in ComfyUI's names, the third one cut short."""
    large = under("text_encoders.clip_l.transformer.", hf_text(T768) | {"text_projection.weight": (768, 768)})
    t5 = "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight"
    return large | under("text_encoders.clip_g.transformer.", hf_text_g()) | {t5: (4096, 4096)}


def unclip_l() -> Shapes:
    """SD2 unCLIP: a text encoder and a vision encoder of different models."""
    visual = under("embedder.model.visual.", oc_visual(L14, 768))
    return diffusion_model() | visual | under("cond_stage_model.model.", oc_text_h())


def long_clip() -> Shapes:
    return oc_clip(L14, LONG, 768) | {"positional_embedding_res": (248, 768)}


POSITIONS = {"text_model.embeddings.position_ids": ("I64", (1, 77))}
CLIP_CONFIG = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "projection_dim": 512,
    "vision_config": {"hidden_act": "quick_gelu", "num_attention_heads": 12, "image_size": 224, "patch_size": 32},
    "text_config": {"hidden_act": "quick_gelu", "num_attention_heads": 8, "eos_token_id": 2},
}
TINY_CONFIG = {
    "model_type": "clip",
    "projection_dim": 24,
    "vision_config": {"hidden_act": "gelu", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
                      "intermediate_size": 64, "image_size": 32, "patch_size": 8, "layer_norm_eps": 1e-5},
    "text_config": {"hidden_act": "gelu", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
                    "intermediate_size": 64, "max_position_embeddings": 16, "vocab_size": 99},
}  # fmt: skip
BIGG_CONFIG = {
    "model_type": "clip",
    "projection_dim": 1280,
    "vision_config": {"hidden_size": 1664, "num_hidden_layers": 48, "num_attention_heads": 16, "hidden_act": "gelu",
                      "intermediate_size": 8192, "image_size": 224, "patch_size": 14, "projection_dim": 1280},
    "text_config": {"hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 20, "hidden_act": "gelu",
                    "intermediate_size": 5120, "projection_dim": 1280},
}  # fmt: skip
PREPROCESSOR = {
    "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}, "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip
OPEN_CLIP_CONFIG = {
    "model_cfg": {
        "embed_dim": 768, "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}  # fmt: skip

LAYOUTS: tuple[Layout, ...] = (
    # transformers, both encoders
    pair("hf_b32", lambda: hf_clip(B32, T512, 512), 512, vision=VB32, text=X512, others=POSITIONS),
    pair("hf_b16", lambda: hf_clip(B16, T512, 512), 512, vision=VB16, text=X512),
    pair("hf_l14", lambda: hf_clip(L14, T768, 768), 768, vision=VL, text=X768, dtype="F16"),
    pair("hf_l14_336", lambda: hf_clip(L336, T768, 768), 768, vision=VL336, text=X768),
    pair("hf_h14", lambda: hf_clip(H14, T1024, 1024), 1024, vision=VH, text=X1024),
    pair("hf_h14_378", lambda: hf_clip(H378, T1024, 1024), 1024, vision=VH378, text=X1024),
    pair("hf_g14", lambda: hf_clip(G14, T1024, 1024), 1024, vision=VG14, text=X1024),
    pair("hf_bigg", lambda: hf_clip(BIGG, T1280, 1280), 1280, vision=VBIGG, text=X1280, dtype="BF16"),
    pair("hf_longclip", lambda: hf_clip(L14, LONG, 768), 768, vision=VL, text=XLONG, family="longclip"),
    # one encoder of them, also as ComfyUI has them
    vision_only("clip_vision_l", lambda: hf_clip_vision(L14) | {"visual_projection.weight": (768, 1024)}, 768,
                vision=VL),
    vision_only("clip_vision_h", lambda: hf_clip_vision(H14) | {"visual_projection.weight": (1024, 1280)}, 1024,
                vision=VH, dtype="F16"),
    vision_only("clip_vision_g", lambda: hf_clip_vision(BIGG) | {"visual_projection.weight": (1280, 1664)}, 1280,
                vision=VBIGG, dtype="F16"),
    vision_only("clip_vision_l_bare", lambda: hf_clip_vision(L14), None, vision=VL),
    vision_only("v5_vision_l", lambda: without("vision_model.", hf_clip_vision(L14)), None, vision=VL),
    text_only("v5_text_l", lambda: without("text_model.", hf_text(T768)), None, text=X768),
    text_only("clip_l", lambda: hf_text(T768), None, text=X768, dtype="F16", others=POSITIONS),
    text_only("clip_l_projected", lambda: hf_text(T768) | {"text_projection.weight": (768, 768)}, 768, text=X768),
    text_only("clip_g", hf_text_g, 1280, text=X1280, dtype="F16"),
    text_only("sd2_diffusers_text", lambda: hf_text(replace(T1024, layers=23)), None, loads=False,
          text=text(replace(T1024, layers=23), 16)),
    # open_clip
    pair("oc_b32", lambda: oc_clip(B32, T512, 512), 512, vision=VB32, text=X512),
    pair("oc_l14", lambda: oc_clip(L14, T768, 768), 768, vision=VL, text=X768),
    pair("oc_h14", lambda: oc_clip(H14, T1024, 1024), 1024, vision=VH, text=X1024, dtype="F16"),
    pair("oc_bigg", lambda: oc_clip(BIGG, T1280, 1280), 1280, vision=VBIGG, text=X1280),
    pair("oc_custom_text", lambda: oc_clip(B16, T512, 512, text_prefix="text."), 512, vision=VB16, text=X512),
    vision_only("oc_visual", lambda: under("visual.", oc_visual(H14, 1024)), 1024, vision=VH),
    pair("longclip", long_clip, 768, vision=VL, text=XLONG, family="longclip"),
    # SigLIP
    pair("siglip_b16", lambda: hf_siglip(SIG_B16, S768), 768, family="siglip", vision=V_SIG_B, text=XS768),
    pair("siglip_l16", lambda: hf_siglip(SIG_L16, S1024), 1024, family="siglip", vision=V_SIG_L, text=XS1024),
    pair("so400m", lambda: hf_siglip(SO400M, S1152), 1152, family="siglip", vision=V_SO, text=XS1152),
    pair("siglip2_b16", lambda: hf_siglip(SIG_B16, S2_768), 768, family="siglip2", vision=V_SIG_B, text=XS2_768),
    pair("siglip2_g", lambda: hf_siglip(SIG2_G, S2_1152), 1536, family="siglip2", vision=V_SIG2_G, text=XS2_1152),
    vision_only("sigclip_vision_so400m", lambda: hf_siglip_vision(SO400M), 1152, family="siglip", vision=V_SO,
                dtype="F16"),
    vision_only("v5_siglip_vision", lambda: without("vision_model.", hf_siglip_vision(SIG_B16)), 768, family="siglip",
                vision=V_SIG_B),
    text_only("siglip2_text", lambda: hf_siglip_text(S2_768, 768), 768, family="siglip2", text=XS2_768),
    pair("naflex", lambda: hf_siglip(NAFLEX, S2_768, naflex=True), 768, family="naflex", vision=V_NAFLEX, text=XS2_768),
    vision_only("naflex_vision", lambda: hf_siglip_vision(NAFLEX, naflex=True), 768, family="naflex", vision=V_NAFLEX),
    pair("oc_siglip", lambda: timm_siglip(SIG_B16, S768), 768, family="siglip", vision=V_SIG_B, text=XS768),
    pair("oc_siglip2_so400m", lambda: timm_siglip(SO400M, S2_1152), 1152, family="siglip2", vision=V_SO, text=XS2_1152),
    # other families
    vision_only("dinov2_b", lambda: dinov2(DINO_B), None, family="dinov2", vision=vision(DINO_B, 12, 518)),
    vision_only("dinov2_l", lambda: dinov2(DINO_L), None, family="dinov2", vision=vision(DINO_L, 16, 518)),
    vision_only("dinov2_g", lambda: dinov2(DINO_G, gated=True), None, family="dinov2",
                vision=vision(DINO_G, 24, 518)),
    vision_only("dinov2_registers", lambda: dinov2(DINO_B, registers=4), None, family="dinov2",
                vision=vision(DINO_B, 12, 518)),
    vision_only("dinov3", lambda: dinov3(DINO3_B), None, family="dinov3",
                vision={"width": 768, "layers": 12, "mlp": 3072, "patch": 16, "heads": 12}),
    # recognised, not supported
    pair("eva02_l", lambda: eva02(replace(L14, mlp=2730), T768, 768), 768, family="eva", vision={}, text={},
         loads=False),
    pair("eva01_g", lambda: eva01(G14, T768, 1024), 1024, family="eva", vision={}, text={}, loads=False),
    pair("coca_b32", lambda: coca(B32, T512), 512, family="coca", vision={}, text={}, loads=False),
    pair("rn50", lambda: resnet50(T512, 1024), 1024, family="resnet", vision={}, text={}, loads=False),
    pair("convnext", lambda: convnext(Text(640, 12, 2560), 640), 640, family="other", vision={}, text={}, loads=False),
    # encoders inside of checkpoints
    text_only("sd15", lambda: diffusion_model() | under("cond_stage_model.transformer.", hf_text(T768)), None,
              text=X768,
          others={"cond_stage_model.transformer.text_model.embeddings.position_ids": ("I64", (1, 77))}),
    text_only("sd15_old", lambda: diffusion_model() | under(
        "cond_stage_model.transformer.", without("text_model.", hf_text(T768))), None, text=X768),
    text_only("sd2", lambda: diffusion_model() | under("cond_stage_model.model.", oc_text_h()), 1024, text=X1024),
    text_only("sdxl", sdxl, 1280, text=X1280, dtype="F16"),
    text_only("sdxl_asked_for_l", sdxl, None, text=X768, dtype="F16",
          arguments={"prefix": "conditioner.embedders.0.transformer."}),
    text_only("sdxl_refiner", lambda: diffusion_model() | under(
        "conditioner.embedders.0.model.", oc_text(T1280, 1280)), 1280, text=X1280),
    text_only("sd3", sd3, 1280, text=X1280, dtype="F16"),
    text_only("sd3_asked_for_l", sd3, 768, text=X768, dtype="F16",
          arguments={"prefix": "text_encoders.clip_l.transformer."}),
    vision_only("unclip_asked_for_vision", unclip_l, 768, vision=VL, arguments={"prefix": "embedder.model.visual."}),
    vision_only("svd", lambda: diffusion_model() | under(
        "conditioner.embedders.0.open_clip.model.visual.", oc_visual(H14, 1024)), 1024, vision=VH),
    vision_only("stable_cascade", lambda: {"model.diffusion_model.embedding.1.weight": (320, 16, 1, 1)} | under(
        "clip_l_vision.", hf_clip_vision(L14) | {"visual_projection.weight": (768, 1024)}), 768, vision=VL),
    vision_only("hunyuan3d", lambda: {"model.latent_in.weight": (1024, 64)} | under(
        "conditioner.main_image_encoder.model.", dinov2(DINO_L)), None, family="dinov2",
        vision=vision(DINO_L, 16, 518)),
    # folders
    pair("hf_folder", lambda: hf_clip(B32, T512, 512), 512, vision=VB32, text=X512,
         folder={"model.safetensors": "", "config.json": CLIP_CONFIG, "preprocessor_config.json": PREPROCESSOR}),
    pair("hf_sharded", lambda: hf_clip(BIGG, T1280, 1280), 1280, vision=VBIGG, text=X1280, shards=3,
         folder={"config.json": BIGG_CONFIG}),
    pair("oc_folder", lambda: oc_clip(L14, T768, 768), 768, vision=VL, text=X768,
         folder={"open_clip_model.safetensors": "", "open_clip_config.json": OPEN_CLIP_CONFIG}),
    pair("tiny_folder", lambda: hf_clip(TINY, TINY_T, 24), 24, vision=vision(TINY, 4, 32), text=text(TINY_T, 4),
         folder={"model.safetensors": "", "config.json": TINY_CONFIG}),
    # tiny: its shapes do not tell the number of heads
    pair("tiny", lambda: hf_clip(TINY, TINY_T, 24), 24,
         vision={"width": 32, "layers": 2, "mlp": 64, "patch": 8, "tokens": 17, "image_size": 32},
         text={"width": 32, "layers": 2, "mlp": 64, "context": 16, "vocabulary": 99}),
    pair("tiny_siglip", lambda: hf_siglip(TINY_SIG, TINY_ST), 32, family="siglip",
         vision={"width": 32, "layers": 2, "mlp": 64, "patch": 8, "tokens": 16, "image_size": 32},
         text={"width": 32, "layers": 2, "mlp": 64, "context": 16, "vocabulary": 32000}),
)  # fmt: skip


def layout_named(name: str) -> Layout:
    """The layout of ``LAYOUTS`` with this name."""
    return next(layout for layout in LAYOUTS if layout.name == name)


#: Models of other kinds, about which nothing may be made up.
OTHER_MODELS: Mapping[str, Callable[[], Shapes]] = {
    "lora": lambda: {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (8, 768), "a.alpha": ()},
    "vae": lambda: {"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_out.bias": (3,)},
    "unet": diffusion_model,
    "t5": lambda: {"shared.weight": (32128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
    "bert": lambda: {"embeddings.word_embeddings.weight": (30522, 768), "encoder.layer.0.output.dense.bias": (768,)},
    "llm": lambda: {"model.embed_tokens.weight": (32000, 4096), "model.layers.0.self_attn.q_proj.weight": (4096, 4096)},
    "ip_adapter": lambda: {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
    "embedding": lambda: {"emb_params": (4, 768)},
}
