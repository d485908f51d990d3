"""Trained models as files that other programs open: transformers, open_clip, ComfyUI, kohya's tools and PEFT."""
