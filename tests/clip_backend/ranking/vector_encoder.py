"""An encoder whose pictures and texts are names of vectors that a test chooses."""

from __future__ import annotations

import numpy as np
import torch
from clip_grid.clip_backend.encoding.features import Identity, TextFeatures, unit_rows
from clip_grid.clip_backend.encoding.image_features import FailedPicture, ImageFeatures
from clip_grid.clip_backend.preparing.preprocessing import Preprocessing
from clip_grid.errors import InputError, PictureError

PREPROCESSING = Preprocessing(size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resampling="exact")
ABSENT = {"image_embeds": "no picture could be read; see the failed ones"}


class VectorEncoder:
    """``vectors``: raw numbers by the name of a picture or text; a name that is not there cannot be read."""

    space = "toy"

    def __init__(self, vectors, notes=()):
        self.vectors = {name: np.asarray(numbers, np.float32) for name, numbers in vectors.items()}
        self.identity = Identity(
            name="toy",
            space="toy",
            dim=2,
            fingerprint="f",
            cache_key="toy",
            dtype="fp32",
            preprocessing=PREPROCESSING,
            notes=notes,
        )

    def encode_images(self, pictures, *, strict=True, progress=None):
        pictures = list(pictures)
        if not pictures:
            raise InputError("no pictures were given; give at least one")
        kept = [place for place, name in enumerate(pictures) if name in self.vectors]
        failed = [
            FailedPicture(place, name, "read", "it cannot be read")
            for place, name in enumerate(pictures)
            if name not in self.vectors
        ]
        if failed and strict:
            raise PictureError(failed[0].name, failed[0].reason)
        if progress:
            progress(len(pictures), len(pictures))
        rows = [self.vectors[pictures[place]] for place in kept]
        return ImageFeatures(
            image_embeds=torch.from_numpy(np.stack(rows)) if rows else None,
            names=tuple(pictures[place] for place in kept),
            kept=tuple(kept),
            failed=tuple(failed),
            absent={} if rows else ABSENT,
            notes=("a note of the pictures",),
            grid=(2, 2),
            hidden_size=2,
            projection_dim=2,
            num_tokens=5,
            preprocessing=PREPROCESSING,
            fingerprint="f",
            space="toy",
            dtype="fp32",
        )

    def encode_texts(self, texts, *, long_text="truncate"):
        texts = [texts] if isinstance(texts, str) else list(texts)
        return TextFeatures(unit_rows(np.stack([self.vectors[text] for text in texts]), texts), tuple(texts), "toy")
