"""The check of a model by one call: whether its files belong together and the default rules suit it."""

from __future__ import annotations

from dataclasses import replace

from ..clip_backend.model_check.check import check_encoder
from ..clip_backend.model_check.result import ModelCheck
from ..imaging import Progress
from .models import Model, ModelChoice


def check_model(model: Model = None, *, progress: Progress | None = None) -> ModelCheck:
    """What a model makes of fixed pictures and texts, and the one sentence that follows.

    The pictures are five photographs of scikit-image, if it is installed, and drawings; nothing is downloaded.
    Raises InputError for a model without a vision or a text encoder.
    """
    opened = ModelChoice.of(model)
    run = check_encoder(opened(), progress=progress)
    return replace(run, notes=(*opened.notes, *run.notes))
