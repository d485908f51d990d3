"""A tensor inside of an encoder that is not computed refuses the file; what belongs to no encoder is noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.read import read_checkpoint

from .safetensors_files import write_sparse
from .tensor_names import (
    Shapes,
    Text,
    Vision,
    blocks,
    dinov2,
    hf_clip,
    hf_clip_vision,
    hf_siglip,
    hf_text,
    linear,
    norm,
    oc_clip,
    timm_siglip,
    under,
    without,
)

V, T = Vision(32, 2, 64, 8, 17), Text(32, 2, 64, 16, 99)
SIGLIP = Vision(32, 2, 64, 8, 16)
HF, OC = hf_clip(V, T, 24), oc_clip(V, T, 24)
DINO = dinov2(Vision(32, 2, 128, 14, 5), registers=1)
HF_LAYER, OC_LAYER = "vision_model.encoder.layers.1.", "visual.transformer.resblocks.1."
PLAIN = "choose a CLIP or SigLIP model with a plain vision transformer"


def read(folder: Path, shapes: Shapes, **arguments: str) -> CheckpointInfo:
    entries = {name: ("F16", shape) for name, shape in shapes.items()}
    return read_checkpoint(write_sparse(folder / "model.safetensors", entries), **arguments)


@pytest.mark.parametrize(
    ("shapes", "extra", "part", "meaning", "cure"),
    [
        (HF, {f"{HF_LAYER}self_attn.q_norm.weight": (8,)}, "vision", "qk_norm", PLAIN),
        (OC, {f"{OC_LAYER}attn.ln_k.weight": (8,)}, "vision", "qk_norm", PLAIN),
        (OC, {"transformer.resblocks.0.attn.ln_q.weight": (8,)}, "text", "qk_norm", PLAIN),
        (HF, {"vision_model.embeddings.register_tokens": (1, 4, 32)}, "vision", "register tokens", PLAIN),
        (OC, {"visual.reg_token": (1, 4, 32)}, "vision", "register tokens", PLAIN),
        (HF, {f"{HF_LAYER}mlp.gate_proj.weight": (64, 32)}, "vision", "gated MLPs", PLAIN),
        (OC, {f"{OC_LAYER}mlp.w12.weight": (64, 32), f"{OC_LAYER}mlp.w3.weight": (32, 64)}, "vision", "gated", PLAIN),
        (OC, {f"{OC_LAYER}ls_1.gamma": (32,)}, "vision", "layer scale", PLAIN),
        (HF, {"text_model.encoder.layers.1.layer_scale1": (32,)}, "text", "layer scale", PLAIN),
        (OC, {"visual.rope.freqs": (4, 8)}, "vision", "rotary", PLAIN),
        (OC, {f"{OC_LAYER}attn.logit_scale": (4, 1, 1)}, "vision", "scaled attention", PLAIN),
        (OC, {f"{OC_LAYER}ln_attn.weight": (32,)}, "vision", "scaled attention", PLAIN),
        (HF, {f"{HF_LAYER}self_attn.q_proj.lora_A.weight": (4, 32)}, "vision", "not merged", "merge it"),
        (HF, {f"{HF_LAYER}mlp.fc1.theta": (64, 32), f"{HF_LAYER}mlp.fc1.r": (64, 1)}, "vision", "GmP", "converted"),
        (HF, {"text_model.encoder.layers.0.mlp.fc1.weight_scale": ()}, "text", "quantised", "in float16"),
        (HF, {"visual_projection.bias": (24,)}, "vision", "projection with a bias", PLAIN),
        (HF, {"text_projection.bias": (24,)}, "text", "projection with a bias", PLAIN),
        (HF, {"vision_model.head.mlp.fc1.weight": (32, 32)}, "vision", "", PLAIN),
        (hf_siglip(SIGLIP, T), {"vision_model.pre_layrnorm.weight": (32,)}, "vision", "", PLAIN),
        (hf_siglip(SIGLIP, T, naflex=True), {"vision_model.head.extra": (32,)}, "vision", "", PLAIN),
        (timm_siglip(SIGLIP, T), {"visual.trunk.fc_norm.weight": (32,)}, "vision", "", PLAIN),
        (timm_siglip(SIGLIP, T), {"text.transformer.resblocks.0.attn.ln_q.weight": (8,)}, "text", "qk_norm", PLAIN),
        (without("vision_model.", hf_clip_vision(V)), {"register_tokens": (1, 4, 32)}, "vision", "register", PLAIN),
        (without("text_model.", hf_text(T)), {"encoder.layers.0.self_attn.k_norm.weight": (8,)}, "text", "qk_n", PLAIN),
    ],
)  # fmt: skip
def test_a_tensor_inside_an_encoder_that_is_not_computed_refuses_the_file_by_name(
    shapes: Shapes, extra: Shapes, part: str, meaning: str, cure: str, tmp_path: Path
):
    assert not read(tmp_path / "plain", shapes).problem

    problem = read(tmp_path, shapes | extra).problem

    assert problem.startswith(f"its {part} encoder holds ")
    assert all(name in problem for name in extra)
    assert meaning in problem and cure in problem


@pytest.mark.parametrize(
    ("shapes", "extra"),
    [
        (HF, {"vision_model.embeddings.position_ids": (1, 17), "text_model.embeddings.position_ids": (1, 16)}),
        (OC, {"input_resolution": (), "context_length": (), "vocab_size": (), "attn_mask": (16, 16)}),
        (HF, {"logit_bias": (), "vision_model.embeddings.num_batches_tracked": ()}),
        (under("clip.", HF), {"decoder.film_mul.weight": (64, 32)}),
    ],
)
def test_buffers_the_scale_and_tensors_of_other_models_refuse_nothing(shapes: Shapes, extra: Shapes, tmp_path: Path):
    info = read(tmp_path, shapes | extra)

    assert not info.problem
    assert not info.notes


def test_of_many_tensors_the_telling_ones_are_named_and_the_others_counted(tmp_path: Path):
    extra = blocks("vision_model.encoder.layers", 2, norm("extra", 32) | norm("self_attn.k_norm", 8))

    problem = read(tmp_path, HF | extra).problem

    assert "layers.0.self_attn.k_norm.weight" in problem and "layers.0.extra" not in problem
    assert "and 5 more tensors" in problem


def test_what_belongs_to_no_encoder_is_noted_and_the_model_is_used(tmp_path: Path):
    info = read(tmp_path, HF | linear("classifier", 10, 32))

    assert not info.problem
    assert "also holds classifier.weight, classifier.bias, which belongs to no encoder" in info.notes[0]


def test_a_text_encoder_of_another_kind_leaves_a_model_for_pictures_and_its_tensors_are_named(tmp_path: Path):
    words = {"text_model.embeddings.word_embeddings.weight": (99, 32)}

    info = read(tmp_path, hf_clip_vision(V) | {"visual_projection.weight": (24, 32)} | words)

    assert info.vision and info.text is None and not info.problem
    assert f"its text encoder is of another kind ({next(iter(words))})" in info.notes[0]


def test_texts_alone_are_not_taken_from_a_model_whose_vision_encoder_is_of_another_kind(tmp_path: Path):
    vision = {"vision_model.embeddings.position_embeddings": (1, 17, 32)}

    problem = read(tmp_path, hf_text(T) | {"text_projection.weight": (24, 32)} | vision).problem

    assert "its vision encoder is of another kind (vision_model.embeddings.position_embeddings)" in problem


def only(prefix: str, shapes: Shapes) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name.startswith(prefix)}


def pe_of_meta() -> Shapes:
    """PE-Core by the names of its first release: CLIP's, and the pooling."""
    pool = under("visual.attn_pool.", {"probe": (1, 1, 32), "attn.in_proj_weight": (96, 32)} | norm("layernorm", 32))
    return OC | pool


def trunk(*names: str) -> Callable[[], Shapes]:
    """A model of open_clip whose vision encoder is timm's."""
    text = {name: shape for name, shape in oc_clip(V, T, 24, text_prefix="text.").items() if "visual" not in name}
    return lambda: text | under("visual.trunk.", dict.fromkeys(names, (32, 32)))


VIT = ("cls_token", "pos_embed", "patch_embed.proj.weight", "norm_pre.weight", "blocks.0.norm1.weight", "head.weight")
GMP = ("mlp.c_fc.weight", "mlp.c_proj.weight")


def gmp() -> Shapes:
    """CLIP with weights in two parts."""
    split = {name: shape for name, shape in OC.items() if not name.endswith(GMP)}
    for name in OC.keys() - split.keys():
        stem = name.removesuffix("weight")
        split |= {f"{stem}theta": OC[name], f"{stem}r": (OC[name][0], 1)}
    return split


def tips() -> Shapes:
    """TIPSv2: a DINOv2 for pictures, a transformer without position table for texts."""
    vision = {"cls_token": (1, 1, 32), "register_tokens": (1, 1, 32), "blocks.0.norm1.weight": (32,)}
    vision |= {"blocks.0.ls1.gamma": (32,), "pos_embed": (1, 17, 32)}
    text = {"token_embedding.weight": (99, 32), "transformer.resblocks.0.attn.in_proj_weight": (96, 32)}
    return under("vision_encoder.", vision) | under("text_encoder.", text)


def jina() -> Shapes:
    vision = {"cls_token": (1, 1, 32), "blocks.0.norm1.weight": (32,), "blocks.0.attn.q_proj.weight": (32, 32)}
    words = "text_model.transformer.embeddings.word_embeddings.parametrizations.weight.original"
    return under("vision_model.", vision) | {words: (99, 32), "logit_scale": ()}


def language_model(prefix: str) -> Shapes:
    return under(prefix, {"embed_tokens.weight": (99, 32), "layers.0.input_layernorm.weight": (32,)})


PUBLISHED: dict[str, tuple[Callable[[], Shapes], str, str]] = {
    "PE-Core of Meta": (pe_of_meta, "Perception Encoder (PE)", "google/siglip2-so400m-patch14-384"),
    "PE-Core of Meta, pictures": (lambda: without("visual.", only("visual.", pe_of_meta())), "Perception Encoder (PE)",
                                  "google/siglip2"),
    "PE-Core of timm": (trunk(*VIT, "attn_pool.latent"), "Perception Encoder (PE)", "google/siglip2"),
    "MobileCLIP2-S0": (trunk("stem.0.conv_kxk.0.conv.weight"), "MobileCLIP2", "DFN2B-CLIP-ViT-B-16"),
    "MobileCLIP2-B": (trunk("patch_embed.backbone.0.conv.weight", *VIT[:2]), "MobileCLIP2", "DFN2B-CLIP-ViT-B-16"),
    "MobileCLIP2-L-14": (trunk(*VIT), "MobileCLIP2-L-14", "DFN2B-CLIP-ViT-L-14"),
    "MobileCLIP2 of Apple": (lambda: {"text_encoder.embedding_layer.weight": (9, 9)}, "MobileCLIP2", "DFN2B-CLIP"),
    "GmP-CLIP": (gmp, "geometric parametrization", "zer0int/CLIP-GmP-ViT-L-14"),
    "TIPSv2": (tips, "TIPSv2", "google/siglip2"),
    "TIPSv2, transformers": (lambda: under("vision_model.", DINO)
                             | {"text_model.embeddings.token_embedding.weight": (99, 32)}, "TIPSv2", "google/siglip2"),
    "jina-clip-v2": (jina, "jina-clip", "google/siglip2"),
    "timm DINOv3": (lambda: {"cls_token": (1, 1, 32), "reg_token": (1, 4, 32), "blocks.0.gamma_1": (32,)},
                    "DINOv3 under the names of timm", "facebook/dinov3-vitl16"),
    "DINOv2 of Meta": (lambda: {"cls_token": (1, 1, 32), "blocks.0.ls1.gamma": (32,)}, "DINOv2", "facebook/dinov2"),
    "LLaVA": (lambda: under("vision_tower.", hf_clip_vision(V)) | language_model("language_model.model.")
              | linear("multi_modal_projector.linear_1", 32, 32), "LLaVA", "openai/clip-vit-large-patch14"),
    "Qwen2.5-VL": (lambda: {"visual.patch_embed.proj.weight": (32, 3, 2, 14, 14), "visual.merger.mlp.0.bias": (32,)}
                   | language_model("model."), "Qwen-VL", "openai/clip-vit-large-patch14"),
    "InternVL": (lambda: {"vision_model.encoder.layers.0.attn.qkv.weight": (96, 32), "mlp1.0.weight": (32,)}
                 | language_model("language_model.model."), "InternVL", "openai/clip-vit-large-patch14"),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_message_says_what_a_published_model_is_and_which_one_to_take_instead(name: str, tmp_path: Path):
    shapes, what, instead = PUBLISHED[name]

    problem = read(tmp_path, shapes()).problem

    assert what in problem and instead in problem


def test_what_transformers_writes_is_called_by_its_name(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    seen = {**sizes, "image_size": 32, "patch_size": 8}
    language = transformers.LlamaConfig(**sizes, num_key_value_heads=4, vocab_size=99)
    clip = transformers.CLIPVisionConfig(**seen)
    models = {
        "MLCD": transformers.MLCDVisionModel(transformers.MLCDVisionConfig(**seen, num_key_value_groups=1)),
        "LLaVA": transformers.LlavaForConditionalGeneration(
            transformers.LlavaConfig(vision_config=clip, text_config=language, image_token_index=98)
        ),
    }
    if hasattr(transformers, "Tipsv2Model"):
        tips = transformers.Tipsv2VisionConfig(**sizes, image_size=28, patch_size=14, num_register_tokens=1)
        words = transformers.Tipsv2TextConfig(**sizes, vocab_size=99, max_position_embeddings=16)
        whole = transformers.Tipsv2Config(vision_config=tips.to_dict(), text_config=words.to_dict())
        models |= {"TIPSv2": transformers.Tipsv2Model(whole), "TIPS": transformers.Tipsv2VisionModel(tips)}
    for name, model in models.items():
        model.save_pretrained(tmp_path / name)

        assert name in read_checkpoint(tmp_path / name).problem


def test_the_vision_encoder_of_a_vision_language_model_can_be_chosen_by_its_prefix(tmp_path: Path):
    info = read(tmp_path, PUBLISHED["LLaVA"][0](), prefix="vision_tower.")

    assert info.vision and not info.problem
    assert "no visual_projection" in info.notes[0]


def test_the_vision_encoder_of_tips_which_has_the_names_of_dinov2_is_known_by_its_config(tmp_path: Path):
    assert not read(tmp_path, DINO).problem

    (tmp_path / "config.json").write_text('{"model_type": "tipsv2_vision_model"}')

    assert "TIPSv2 model of Google" in read_checkpoint(tmp_path).problem


def test_dinov2_is_still_read(tmp_path: Path):
    assert not read(tmp_path, dinov2(Vision(64, 2, 256, 14, 26), registers=4)).problem
