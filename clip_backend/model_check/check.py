"""Measures a model on fixed pictures and texts: the spread of its cosines, their order, and what nothing matches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...imaging import Progress
from ..encoding.features import Features, Identity
from ..encoding.image_features import ImageFeatures
from ..finding.catalog import name_below
from ..preparing.blank import emptiness, pixel_statistics
from ..scoring.scales import LEAST_DEVIATION, EncodedBank, Float32s, LengthClass, bank, encoded_bank, z_scores
from ..shapes_demo import SHAPES_DEMO
from .pictures import CheckPictures, check_pictures, nothing_pictures, published_cosines
from .result import MATCH_Z, BankFigures, CheckedModel, ModelCheck, NothingFigures, OwnText

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Width, grid and projection of ViT-B/32, whose cosines were published.
_PUBLISHED_SHAPE = (768, (7, 7), 512)
ONLY_DRAWINGS = (
    "scikit-image is not installed, so that drawings take the place of its photographs; models are less used to them; "
    "to check with photographs: pip install scikit-image"
)
_PREPROCESSING = ("size", "fit", "interpolation", "mean", "std")


def check_encoder(encoder: Encoder, *, progress: Progress | None = None) -> ModelCheck:
    """The check of one model, on 12 pictures that show something and 30 that show nothing.

    Raises InputError for a model that encodes no texts or no pictures, or has no embedding of pictures.
    """
    shown, blank = check_pictures(), nothing_pictures()
    texts = encoder.encode_texts([*shown.captions.values(), *shown.words.values()])
    known = encoded_bank(encoder)
    given = [*shown.pictures.values(), *(picture for several in blank.values() for picture in several)]
    images = encoder.encode_images(given, progress=progress)
    features = images.to_features([*shown.pictures, *(kind for kind, several in blank.items() for _ in several)])
    count = len(shown.pictures)
    real, nothing = features.select(range(count)), features.select(range(count, len(features)))
    kinds, matched = _nothing(nothing, real, known)
    note = () if shown.kind == "photographs" else (ONLY_DRAWINGS,)
    return ModelCheck(
        model=_model(encoder.identity),
        pictures=shown.kind,
        bank_version=bank().version,
        banks={length: _figures(cosines) for length, cosines in known.cosines(real).items()},
        among_pictures=_among(real),
        among_captions=_among(known.long),
        gap=float(np.linalg.norm(real.vectors.mean(axis=0) - known.long.vectors.mean(axis=0))),
        captions=tuple(shown.captions.values()),
        order=_order(shown, real, texts, known),
        published=_published(shown, real, texts, images),
        nothing=kinds,
        nothing_matched=matched,
        notes=tuple(dict.fromkeys([*note, *encoder.identity.notes, *texts.notes, *images.notes])),
    )


def _model(identity: Identity) -> CheckedModel:
    own = identity.preprocessing
    is_own = not identity.fingerprint or identity.fingerprint in identity.space
    files = [Path(name).absolute() for name in identity.name.split(" + ")]
    return CheckedModel(
        files=tuple(name_below(path, path) for path in files),
        fingerprint=identity.fingerprint,
        space="" if is_own else identity.space,
        dim=identity.dim,
        dtype=identity.dtype,
        logit_scale=identity.logit_scale,
        logit_bias=identity.logit_bias,
        is_sigmoid=identity.is_sigmoid,
        assumed=identity.assumed,
        is_demo=identity.name == SHAPES_DEMO,
        preprocessing={name: getattr(own, name) for name in _PREPROCESSING} if own else {},
    )


def _figures(cosines: Float32s) -> BankFigures:
    """cosines: [12, B]."""
    return BankFigures(
        mean=float(cosines.mean()),
        deviation=float(cosines.std(axis=1).mean()),
        picture_deviation=float(cosines.mean(axis=1).std()),
        text_deviation=float(cosines.mean(axis=0).std()),
    )


def _among(features: Features) -> tuple[float, float]:
    """Mean and standard deviation of the cosines of each two rows."""
    cosines = features.similarity(features)[np.triu_indices(len(features), 1)]
    return float(cosines.mean()), float(cosines.std())


def _order(shown: CheckPictures, real: Features, texts: Features, known: EncodedBank) -> tuple[OwnText, ...]:
    """Each picture that has a word, with the eight captions and with its word."""
    names, count = list(shown.captions), len(shown.captions)
    words = dict(zip(shown.words, range(count, len(texts)), strict=True))
    rows = real.select([real.ids.index(name) for name in words])
    cosines, beside = rows.similarity(texts), known.cosines(rows)
    z: Mapping[LengthClass, Float32s] = {length: z_scores(cosines, beside[length]) for length in beside}
    order = []
    for row, name in enumerate(words):
        own, word, eight = names.index(name), words[name], cosines[row, :count]
        order.append(
            OwnText(
                picture=name,
                cosines=tuple(map(float, eight)),
                caption=shown.captions[name],
                cosine=float(eight[own]),
                rank=int((eight > eight[own]).sum()) + 1,
                z=float(z["long"][row, own]),
                word=shown.words[name],
                word_cosine=float(cosines[row, word]),
                word_z=float(z["short"][row, word]),
            )
        )
    return tuple(order)


def _published(shown: CheckPictures, real: Features, texts: Features, images: ImageFeatures) -> dict[str, float]:
    """The largest difference to the published cosines, by model; only of photographs by a ViT-B/32."""
    if shown.kind != "photographs" or (images.hidden_size, images.grid, images.projection_dim) != _PUBLISHED_SHAPE:
        return {}
    cosines = real.similarity(texts)[:, : len(shown.captions)]
    return {
        model: max(float(np.abs(cosines[real.ids.index(name)] - row).max()) for name, row in rows.items())
        for model, rows in published_cosines().items()
    }


def _nothing(nothing: Features, real: Features, known: EncodedBank) -> tuple[tuple[NothingFigures, ...], float]:
    """Figures by kind, and the share of pairs of a picture of nothing and a bank text that are called a match."""
    pictures = [picture for several in nothing_pictures().values() for picture in several]
    is_empty = np.array([bool(emptiness(pixel_statistics(Image.fromarray(picture)))) for picture in pictures])  # [30]
    above = np.concatenate([_matches(cosines) for cosines in known.cosines(nothing).values()], axis=1)  # [30, 192]
    figures = []
    for kind in nothing_pictures():
        places = [place for place, name in enumerate(nothing.ids) if name == kind]
        own = nothing.select(places)
        beside = own.similarity(real).max(axis=0)  # [12]
        nearest = int(beside.argmax())
        figures.append(
            NothingFigures(
                kind=kind,
                pictures=len(own),
                by_pixels=int(is_empty[places].sum()),
                least_alike=float(own.similarity(own).min()),
                above_z=float(above[places].mean()),
                nearest=real.ids[nearest],
                nearest_cosine=float(beside[nearest]),
            )
        )
    return tuple(figures), float((above & ~is_empty[:, None]).mean())


def _matches(cosines: Float32s) -> NDArray[np.bool_]:
    """Which of the bank's texts match a picture, judged among themselves [N, B]; none where they are all alike."""
    is_flat = cosines.std(axis=1, keepdims=True) < LEAST_DEVIATION
    matches: NDArray[np.bool_] = (z_scores(cosines, cosines) >= MATCH_Z) & ~is_flat
    return matches
