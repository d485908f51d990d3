"""The habits of a model put into its description: those that a source states, and its family's for the rest."""

from __future__ import annotations

from dataclasses import replace

from ..checkpoint_info import CheckpointInfo
from .families import family_defaults
from .properties import Properties


def with_habits(info: CheckpointInfo, stated: Properties) -> CheckpointInfo:
    """The same model with its activation, eps, colours, fit and interpolation; its towers and family must be set."""
    usual = family_defaults(info.family, info.vision, info.text)
    return replace(
        info,
        activation=stated.activation or usual.activation or info.activation,
        eps=stated.eps or usual.eps or info.eps,
        mean=stated.mean or usual.mean or info.mean,
        std=stated.std or usual.std or info.std,
        fit=stated.fit or usual.fit or info.fit,
        interpolation=stated.interpolation or usual.interpolation or info.interpolation,
    )
