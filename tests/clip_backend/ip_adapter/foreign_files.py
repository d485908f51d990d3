"""Files of other models, none of which is an IP-Adapter: the names of some of their tensors, and what they are."""

from __future__ import annotations

from collections.abc import Mapping

from ..checkpoints.layout_files import entries_of, layout_named

LORA, CONTROL, MODEL, VAE = "a LoRA", "a ControlNet", "a diffusion model", "a VAE"
CHECKPOINT, VISION, TEXT = "a checkpoint or diffusion model", "a vision encoder", "a text encoder or language model"
#: What a file is, and some of its names.
FOREIGN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "kohya_lora": (LORA, ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",)),
    "kohya_text_lora": (LORA, ("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",)),
    "peft_lora": (LORA, ("transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight",)),
    "diffusers_lora": (LORA, ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k.lora.down.weight",)),
    "lycoris": (LORA, ("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", "a.alpha")),
    "lokr": (LORA, ("lycoris_blocks_0_attn.lokr_w1", "lycoris_blocks_0_attn.lokr_w2")),
    "controlnet": (CONTROL, ("control_model.input_hint_block.0.weight", "control_model.zero_convs.0.0.weight")),
    "controlnet_diffusers": (CONTROL, ("controlnet_cond_embedding.conv_in.weight", "down_blocks.0.resnets.0.weight")),
    "controlnet_flux": (CONTROL, ("controlnet_blocks.0.weight", "transformer_blocks.0.attn.to_k.weight")),
    "vae": (VAE, ("encoder.conv_in.weight", "decoder.conv_out.bias", "decoder.up.0.block.0.conv1.weight")),
    "vae_diffusers": (VAE, ("encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.up_blocks.0.weight")),
    "vae_alone": (VAE, ("first_stage_model.encoder.down.0.block.0.conv1.weight",)),
    "sd15": (CHECKPOINT, ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.weight")),
    "sdxl": (CHECKPOINT, ("conditioner.embedders.0.transformer.weight", "model.diffusion_model.out.0.weight")),
    "unet_diffusers": (MODEL, ("down_blocks.0.attentions.0.proj_in.weight", "conv_in.weight")),
    "unet_comfy": (MODEL, ("input_blocks.1.1.proj_in.weight", "time_embed.0.weight")),
    "flux": (MODEL, ("double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight")),
    "sd3": (MODEL, ("joint_blocks.0.x_block.attn.qkv.weight",)),
    "clip_vision_h": (VISION, tuple(entries_of(layout_named("clip_vision_h")))),
    "clip_whole": (VISION, tuple(entries_of(layout_named("hf_l14")))),
    "open_clip": (VISION, ("visual.conv1.weight", "transformer.resblocks.0.ln_1.weight")),
    "clip_l_text": (TEXT, ("text_model.embeddings.token_embedding.weight",)),
    "t5": (TEXT, ("shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight")),
    "llm": (TEXT, ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight")),
    "embedding": ("a textual inversion embedding", ("emb_params",)),
    "embedding_sdxl": ("a textual inversion embedding", ("clip_g", "clip_l")),
    "motion": ("a motion module", ("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight",)),
    "redux": ("a FLUX Redux style model", ("redux_up.weight", "redux_up.bias", "redux_down.weight")),
    "pulid": ("PuLID", ("id_adapter.id_embedding_mapping.0.weight", "id_adapter_attn_layers.0.id_to_k.weight")),
    "photomaker": ("PhotoMaker", ("id_encoder.fuse_module.mlp1.fc1.weight", "lora_weights.down.weight")),
    "upscaler": ("an upscaler or a T2I adapter", ("conv_first.weight", "body.0.rdb1.conv1.weight")),
    "t2i_adapter": ("an upscaler or a T2I adapter", ("adapter.body.0.resnets.0.block1.weight",)),
    "other": ("no IP-Adapter", ("weight", "bias")),
}
