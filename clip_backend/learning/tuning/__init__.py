"""Training of a model's own weights: LoRA, the last blocks, or all of them."""
