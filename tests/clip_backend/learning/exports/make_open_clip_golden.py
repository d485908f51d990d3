"""Writes down what open_clip computes from an exported model, for machines that do not have it.

Run from the repository's root with a Python that has open_clip and transformers:

    python -m pytest -q tests/clip_backend/learning/exports/make_open_clip_golden.py

``goldens/open_clip_export.json`` then holds its version, the embeddings, and each parameter that its model has, with
the shape and the sum of the absolute values that it loaded. This is no test: pytest is only what makes the package
importable by its name.
"""

from __future__ import annotations

import json

import pytest
import torch

from .bundled import GOLDEN, PICTURES, TEXTS, export_bundled

open_clip = pytest.importorskip("open_clip")


def test_write_down_what_open_clip_says(tmp_path):
    name = f"local-dir:{export_bundled(tmp_path)}"
    model, prepared = open_clip.create_model_from_pretrained(name)
    ids = open_clip.get_tokenizer(name)(TEXTS)

    with torch.no_grad():
        images = model.encode_image(torch.stack([prepared(one) for one in PICTURES]), normalize=True)
        texts = model.encode_text(ids, normalize=True)

    parameters = {
        name: [[*one.shape], float(f"{one.double().abs().sum():.7g}")]
        for name, one in sorted(model.state_dict().items()) if name != "attn_mask"
    }  # fmt: skip
    said = {"images": images, "texts": texts}
    golden = {
        "version": open_clip.__version__, "parameters": parameters, "tokens": ids.tolist(),
        **{name: [[round(x, 7) for x in row] for row in one.tolist()] for name, one in said.items()},
    }  # fmt: skip
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"') + "\n", "utf-8")
