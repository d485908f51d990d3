"""Graphs of ComfyUI's own nodes in its API format, and what is read of them."""

from __future__ import annotations

import json

from clip_grid.grid.pictures.metadata import read_generation


def node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


def read(graph: object) -> dict[str, str]:
    return read_generation({"prompt": json.dumps(graph)}).values


def ksampler(**changes: object) -> dict[str, object]:
    inputs: dict[str, object] = {
        "seed": 42,
        "steps": 20,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 1,
        "model": ["ckpt", 0],
        "positive": ["pos", 0],
        "negative": ["neg", 0],
        "latent_image": ["empty", 0],
    }
    return node("KSampler", **(inputs | changes))


def basic_graph(**changes: dict[str, object]) -> dict[str, object]:
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="sd15/dream_v1.5.safetensors"),
        "pos": node("CLIPTextEncode", text="a cat", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="blurry", clip=["ckpt", 1]),
        "empty": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "k": ksampler(),
        "decode": node("VAEDecode", samples=["k", 0], vae=["ckpt", 2]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="ComfyUI"),
    } | changes


def flux_graph(**changes: dict[str, object]) -> dict[str, object]:
    return {
        "unet": node("UNETLoader", unet_name="flux1-dev.sft", weight_dtype="default"),
        "clip": node("DualCLIPLoader", clip_name1="a", clip_name2="b", type="flux"),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "text": node("CLIPTextEncode", text="a fox", clip=["clip", 0]),
        "fg": node("FluxGuidance", guidance=3.5, conditioning=["text", 0]),
        "shift": node("ModelSamplingFlux", max_shift=1.15, base_shift=0.5, width=64, height=64, model=["unet", 0]),
        "noise": node("RandomNoise", noise_seed=18446744073709551615),
        "guider": node("BasicGuider", model=["shift", 0], conditioning=["fg", 0]),
        "select": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "sigmas": node("BasicScheduler", model=["shift", 0], scheduler="beta", steps=28, denoise=1.0),
        "latent": node("EmptySD3LatentImage", width=1024, height=576, batch_size=1),
        "k": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["select", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
        "decode": node("VAEDecode", samples=["k", 0], vae=["vae", 0]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="f"),
    } | changes
