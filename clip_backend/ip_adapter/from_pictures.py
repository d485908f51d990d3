"""References of pictures, faces and a mask, as the settings say; the same for nodes and Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ...errors import InputError
from ..preparing.preprocessing import Preprocessing, prepare
from .combining import combine, read_picture_weights
from .masks import read_mask
from .projections import States
from .reference_settings import ReferenceSettings
from .references import Reference
from .squares import squares

if TYPE_CHECKING:
    from ..encoding.image_features import ImageFeatures


class VisionSource(Protocol):
    """What encodes pictures."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How it makes pixels of a picture; raises InputError for a model of texts alone."""

    @property
    def crops(self) -> bool:
        """Whether it cuts a square from a picture of any shape."""

    def encode(self, pictures: Sequence[Tensor], preprocessing: Preprocessing) -> ImageFeatures:
        """Embeddings, states before the last layer, or both, of pictures [1, H, W, C]."""

    def blank(self, blank: str) -> Tensor | None:
        """The states of a blank picture; see ``ReferenceSettings``."""


def make_references(
    pictures: Sequence[Tensor],
    settings: ReferenceSettings,
    source: VisionSource | None,
    *,
    faces: Tensor | None = None,
    mask: Tensor | None = None,
) -> tuple[tuple[Reference, ...], list[Tensor]]:
    """(the references, the squares uint8 [S, S, 3] that the encoder sees).

    pictures: each [H, W, C]. source: None without pictures. faces: [N, F, P] of N pictures, or of one for all.
    Raises InputError for weights, faces and masks that do not fit, and for tiles where each frame has one picture.
    """
    weights = read_picture_weights(settings.picture_weights, max(len(pictures), 0 if faces is None else len(faces)))
    new = Reference(
        States(face=faces),
        weight=settings.weight,
        mask=None if mask is None else read_mask(mask, "this reference"),
        is_negative=settings.negative,
        picture_weights=weights,
    )
    shown: list[Tensor] = []
    if pictures and source is not None:
        new, shown = _with_pictures(new, pictures, settings, source)
    return combine([new], settings.combine), shown


def _with_pictures(
    new: Reference, pictures: Sequence[Tensor], settings: ReferenceSettings, source: VisionSource
) -> tuple[Reference, list[Tensor]]:
    # a crop in the middle is the encoder's own, as the reference implementation has it: resized first
    is_own = source.crops and settings.fit == "crop" and settings.position == 0.5
    parts = [[one] if is_own else squares(one, settings.fit, settings.position) for one in pictures]
    preprocessing = replace(source.preprocessing, fit="crop" if is_own else "squash")
    seen = [square[None] for squares_of_one in parts for square in squares_of_one]
    new = _spread(new, [len(one) for one in parts], settings)
    features = source.encode(seen, preprocessing)
    hidden = features.penultimate_hidden
    states = replace(new.states, embeds=features.image_embeds, hidden=hidden)
    blank = None if hidden is None else source.blank(settings.blank)
    return (
        replace(new, states=states, blank=blank, fingerprint=features.fingerprint),
        [prepare(one[0], preprocessing) for one in seen],
    )


def _spread(new: Reference, repeats: Sequence[int], settings: ReferenceSettings) -> Reference:
    """The faces and weights of pictures for each of the squares that cover them."""
    count, faces = len(repeats), new.states.face
    if settings.combine == "per frame" and max(repeats) > 1:
        raise InputError("tiles make several squares of a picture, and per frame takes one; choose crop or pad for fit")
    if faces is not None:
        if len(faces) not in (1, count):
            raise InputError(f"there are {len(faces)} faces for {count} pictures; give one for each, or one for all")
        faces = faces.expand(count, -1, -1)[torch.arange(count).repeat_interleave(torch.tensor(repeats))]
    weights = (
        tuple(weight for weight, times in zip(new.picture_weights, repeats, strict=True) for _ in range(times))
        if new.picture_weights
        else ()
    )
    return replace(new, states=replace(new.states, face=faces), picture_weights=weights)
