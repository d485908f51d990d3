"""Names and shapes of the tensors of every kind of model, as its library writes them into a file."""

from __future__ import annotations

from dataclasses import dataclass

#: {name of a tensor: shape}
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Vision:
    """The sizes of a vision encoder that its tensors show."""

    width: int
    layers: int
    mlp: int
    patch: int
    tokens: int


@dataclass(frozen=True)
class Text:
    """The sizes of a text encoder that its tensors show."""

    width: int
    layers: int
    mlp: int
    context: int = 77
    vocabulary: int = 49408


def under(prefix: str, shapes: Shapes) -> Shapes:
    """The same tensors below a prefix."""
    return {prefix + name: shape for name, shape in shapes.items()}


def without(prefix: str, shapes: Shapes) -> Shapes:
    """The same tensors with the prefix removed where it is."""
    return {name.removeprefix(prefix): shape for name, shape in shapes.items()}


def linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def blocks(name: str, count: int, block: Shapes) -> Shapes:
    return {f"{name}.{index}.{part}": shape for index in range(count) for part, shape in block.items()}


def hf_block(width: int, mlp: int) -> Shapes:
    parts: Shapes = {}
    for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
        parts |= linear(f"self_attn.{part}", width, width)
    parts |= norm("layer_norm1", width) | norm("layer_norm2", width)
    return parts | linear("mlp.fc1", mlp, width) | linear("mlp.fc2", width, mlp)


def hf_clip_vision(v: Vision) -> Shapes:
    """CLIPVisionModel as transformers 4 writes it."""
    shapes: Shapes = {
        "embeddings.class_embedding": (v.width,),
        "embeddings.patch_embedding.weight": (v.width, 3, v.patch, v.patch),
        "embeddings.position_embedding.weight": (v.tokens, v.width),
    }
    shapes |= norm("pre_layrnorm", v.width) | norm("post_layernorm", v.width)
    return under("vision_model.", shapes | blocks("encoder.layers", v.layers, hf_block(v.width, v.mlp)))


def hf_text(t: Text) -> Shapes:
    """CLIPTextModel; also the text encoder of SigLIP without its head."""
    shapes: Shapes = {
        "embeddings.token_embedding.weight": (t.vocabulary, t.width),
        "embeddings.position_embedding.weight": (t.context, t.width),
    }
    shapes |= norm("final_layer_norm", t.width)
    return under("text_model.", shapes | blocks("encoder.layers", t.layers, hf_block(t.width, t.mlp)))


def hf_clip(v: Vision, t: Text, projection: int) -> Shapes:
    """CLIPModel."""
    return (
        hf_clip_vision(v)
        | hf_text(t)
        | {
            "visual_projection.weight": (projection, v.width),
            "text_projection.weight": (projection, t.width),
            "logit_scale": (),
        }
    )


def hf_siglip_vision(v: Vision, *, naflex: bool = False) -> Shapes:
    """SiglipVisionModel, or Siglip2VisionModel with patches as rows of numbers."""
    square = (v.width, 3, v.patch, v.patch)
    shapes: Shapes = {
        "embeddings.patch_embedding.weight": (v.width, 3 * v.patch**2) if naflex else square,
        "embeddings.patch_embedding.bias": (v.width,),
        "embeddings.position_embedding.weight": (v.tokens, v.width),
        "head.probe": (1, 1, v.width),
        "head.attention.in_proj_weight": (3 * v.width, v.width),
        "head.attention.in_proj_bias": (3 * v.width,),
    }
    shapes |= linear("head.attention.out_proj", v.width, v.width) | norm("head.layernorm", v.width)
    shapes |= linear("head.mlp.fc1", v.mlp, v.width) | linear("head.mlp.fc2", v.width, v.mlp)
    shapes |= norm("post_layernorm", v.width) | blocks("encoder.layers", v.layers, hf_block(v.width, v.mlp))
    return under("vision_model.", shapes)


def hf_siglip_text(t: Text, projection: int) -> Shapes:
    """SiglipTextModel."""
    return hf_text(t) | linear("text_model.head", projection, t.width)


def hf_siglip(v: Vision, t: Text, *, naflex: bool = False) -> Shapes:
    """SiglipModel or Siglip2Model."""
    towers = hf_siglip_vision(v, naflex=naflex) | hf_siglip_text(t, v.width)
    return towers | {"logit_scale": (1,), "logit_bias": (1,)}


def dinov2(v: Vision, *, registers: int = 0, gated: bool = False) -> Shapes:
    """Dinov2Model under the names of its published files, which transformers 4 has too."""
    w = v.width
    block = norm("norm1", w) | norm("norm2", w) | linear("attention.output.dense", w, w)
    for part in ("query", "key", "value"):
        block |= linear(f"attention.attention.{part}", w, w)
    if gated:
        block |= linear("mlp.weights_in", 2 * v.mlp, w) | linear("mlp.weights_out", w, v.mlp)
    else:
        block |= linear("mlp.fc1", v.mlp, w) | linear("mlp.fc2", w, v.mlp)
    block |= {"layer_scale1.lambda1": (w,), "layer_scale2.lambda1": (w,)}
    shapes: Shapes = {
        "embeddings.cls_token": (1, 1, w),
        "embeddings.mask_token": (1, w),
        "embeddings.position_embeddings": (1, v.tokens, w),
        "embeddings.patch_embeddings.projection.weight": (w, 3, v.patch, v.patch),
        "embeddings.patch_embeddings.projection.bias": (w,),
    }
    if registers:
        shapes["embeddings.register_tokens"] = (1, registers, w)
    return shapes | blocks("encoder.layer", v.layers, block) | norm("layernorm", w)


def dinov3(v: Vision) -> Shapes:
    """DINOv3ViTModel."""
    w = v.width
    block = norm("norm1", w) | norm("norm2", w) | {"attention.k_proj.weight": (w, w)}
    for part in ("v_proj", "q_proj", "o_proj"):
        block |= linear(f"attention.{part}", w, w)
    block |= linear("mlp.up_proj", v.mlp, w) | linear("mlp.down_proj", w, v.mlp)
    block |= {"layer_scale1.lambda1": (w,), "layer_scale2.lambda1": (w,)}
    shapes: Shapes = {
        "embeddings.cls_token": (1, 1, w),
        "embeddings.mask_token": (1, 1, w),
        "embeddings.register_tokens": (1, 4, w),
        "embeddings.patch_embeddings.weight": (w, 3, v.patch, v.patch),
        "embeddings.patch_embeddings.bias": (w,),
    }
    return shapes | blocks("layer", v.layers, block) | norm("norm", w)


def resblock(width: int, mlp: int) -> Shapes:
    parts: Shapes = {"attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,)}
    parts |= linear("attn.out_proj", width, width) | norm("ln_1", width) | norm("ln_2", width)
    return parts | linear("mlp.c_fc", mlp, width) | linear("mlp.c_proj", width, mlp)


def oc_visual(v: Vision, projection: int = 0) -> Shapes:
    """The vision encoder without ``visual.``; projection 0: without that matrix."""
    shapes: Shapes = {
        "class_embedding": (v.width,),
        "positional_embedding": (v.tokens, v.width),
        "conv1.weight": (v.width, 3, v.patch, v.patch),
    }
    if projection:
        shapes["proj"] = (v.width, projection)
    shapes |= norm("ln_pre", v.width) | norm("ln_post", v.width)
    return shapes | blocks("transformer.resblocks", v.layers, resblock(v.width, v.mlp))


def oc_text(t: Text, projection: int) -> Shapes:
    """The text encoder without any prefix."""
    shapes: Shapes = {
        "positional_embedding": (t.context, t.width),
        "token_embedding.weight": (t.vocabulary, t.width),
        "text_projection": (t.width, projection),
    }
    return shapes | norm("ln_final", t.width) | blocks("transformer.resblocks", t.layers, resblock(t.width, t.mlp))


def oc_clip(v: Vision, t: Text, projection: int, *, text_prefix: str = "") -> Shapes:
    """open_clip's CLIP, or CustomTextCLIP with ``text.`` as prefix."""
    text = under(text_prefix, oc_text(t, projection))
    return text | {"logit_scale": ()} | under("visual.", oc_visual(v, projection))


def coca(v: Vision, t: Text) -> Shapes:
    """CoCa: pooled by attention, with a decoder for captions."""
    w = t.width
    towers = oc_clip(v, t, w, text_prefix="text.")
    for name in ("visual.ln_post.weight", "visual.ln_post.bias"):
        towers[name] = (w,)
    towers |= {
        "visual.proj": (w, w),
        "text.cls_emb": (w,),
        "visual.attn_pool.query": (256, w),
        "visual.attn_pool.attn.q_proj_weight": (w, w),
        "visual.attn_pool.attn.k_proj_weight": (w, v.width),
        "visual.attn_pool.attn.v_proj_weight": (w, v.width),
        "visual.attn_pool.attn.in_proj_bias": (3 * w,),
        "text_decoder.text_projection": (w, t.vocabulary),
    }
    towers |= linear("visual.attn_pool.attn.out_proj", w, w)
    towers |= norm("visual.attn_pool.ln_q", w) | norm("visual.attn_pool.ln_k", v.width)
    block = resblock(w, t.mlp)
    towers |= blocks("text_decoder.resblocks", t.layers, block) | norm("text_decoder.ln_final", w)
    return towers | blocks("text_decoder.cross_attn", t.layers, block | norm("ln_1_kv", w))


def timm_siglip(v: Vision, t: Text) -> Shapes:
    """SigLIP of open_clip: the vision encoder is timm's."""
    w = v.width
    block = linear("attn.qkv", 3 * w, w) | linear("attn.proj", w, w) | norm("norm1", w) | norm("norm2", w)
    mlp = linear("mlp.fc1", v.mlp, w) | linear("mlp.fc2", w, v.mlp)
    trunk: Shapes = {"pos_embed": (1, v.tokens, w), "patch_embed.proj.weight": (w, 3, v.patch, v.patch)}
    trunk |= {"patch_embed.proj.bias": (w,), "attn_pool.latent": (1, 1, w)} | norm("norm", w)
    trunk |= linear("attn_pool.q", w, w) | linear("attn_pool.kv", 2 * w, w) | linear("attn_pool.proj", w, w)
    trunk |= norm("attn_pool.norm", w) | under("attn_pool.", mlp) | blocks("blocks", v.layers, block | mlp)
    text = oc_text(t, w)
    del text["text_projection"]
    text |= linear("text_projection", w, t.width)
    scales: Shapes = {"logit_scale": (), "logit_bias": ()}
    return scales | under("visual.trunk.", trunk) | under("text.", text)


def eva02(v: Vision, t: Text, projection: int) -> Shapes:
    """EVA02-CLIP: rotary positions, gated MLP."""
    w = v.width
    block = norm("norm1", w) | norm("norm2", w) | norm("attn.norm", w) | {"attn.k_proj.weight": (w, w)}
    for part in ("q_proj", "v_proj", "proj"):
        block |= linear(f"attn.{part}", w, w)
    block |= linear("mlp.fc1_g", v.mlp, w) | linear("mlp.fc1_x", v.mlp, w)
    block |= norm("mlp.norm", v.mlp) | linear("mlp.fc2", w, v.mlp)
    return eva(v, block) | linear("visual.trunk.head", projection, w) | eva_text(t, projection)


def eva01(v: Vision, t: Text, projection: int) -> Shapes:
    """EVA01-CLIP: one matrix for queries, keys and values, with biases of their own."""
    w = v.width
    block: Shapes = {"attn.q_bias": (w,), "attn.v_bias": (w,), "attn.qkv.weight": (3 * w, w)}
    block |= norm("norm1", w) | norm("norm2", w) | linear("attn.proj", w, w)
    block |= linear("mlp.fc1", v.mlp, w) | linear("mlp.fc2", w, v.mlp)
    return eva(v, block) | linear("visual.trunk.head", projection, w) | eva_text(t, projection)


def eva(v: Vision, block: Shapes) -> Shapes:
    w = v.width
    trunk: Shapes = {"cls_token": (1, 1, w), "pos_embed": (1, v.tokens, w)}
    trunk |= {"patch_embed.proj.weight": (w, 3, v.patch, v.patch), "patch_embed.proj.bias": (w,)}
    return under("visual.trunk.", trunk | norm("norm", w) | blocks("blocks", v.layers, block))


def eva_text(t: Text, projection: int) -> Shapes:
    return under("text.", oc_text(t, projection)) | {"logit_scale": ()}


def resnet50(t: Text, projection: int) -> Shapes:
    """CLIP RN50, the tensors of its first blocks and of its pooling."""
    shapes: Shapes = {"logit_scale": (), "visual.attnpool.positional_embedding": (50, 2048)}
    for number, (out, into, side) in enumerate([(32, 3, 3), (32, 32, 3), (64, 32, 3)], start=1):
        shapes |= {f"visual.conv{number}.weight": (out, into, side, side)} | batch_norm(f"visual.bn{number}", out)
    for part in ("conv1.weight", "conv2.weight"):
        shapes[f"visual.layer1.0.{part}"] = (64, 64, 3, 3) if "2" in part else (64, 64, 1, 1)
    shapes |= {"visual.layer1.0.conv3.weight": (256, 64, 1, 1)} | batch_norm("visual.layer1.0.bn1", 64)
    for part in ("k_proj", "q_proj", "v_proj"):
        shapes |= linear(f"visual.attnpool.{part}", 2048, 2048)
    return shapes | linear("visual.attnpool.c_proj", projection, 2048) | oc_text(t, projection)


def batch_norm(name: str, width: int) -> Shapes:
    running: Shapes = {f"{name}.running_mean": (width,), f"{name}.running_var": (width,)}
    return norm(name, width) | running | {f"{name}.num_batches_tracked": ()}


def convnext(t: Text, projection: int) -> Shapes:
    """CLIP ConvNeXt, the tensors of its first blocks and of its head."""
    shapes: Shapes = {
        "logit_scale": (),
        "visual.trunk.stem.0.weight": (128, 3, 4, 4),
        "visual.trunk.stages.0.blocks.0.gamma": (128,),
        "visual.trunk.stages.0.blocks.0.conv_dw.weight": (128, 1, 7, 7),
        "visual.head.proj.weight": (projection, 1024),
    }
    return shapes | norm("visual.trunk.head.norm", 1024) | oc_text(t, projection)


def diffusion_model() -> Shapes:
    """Some of the tensors of a UNet and of a VAE, as many as make a header long."""
    shapes: Shapes = {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}
    for index in range(1, 12):
        block = f"model.diffusion_model.output_blocks.{index}.1.transformer_blocks"
        shapes |= blocks(block, 10, {"attn2.to_k.weight": (640, 2048), "norm2.weight": (640,), "norm2.bias": (640,)})
    return shapes | {"first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3)}
