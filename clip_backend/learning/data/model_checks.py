"""What a model says of a data set: texts that it cannot read whole, and labels that it finds unlikely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....imaging import Progress
from .dataset import Dataset, Example, Finding
from .groups import Floats
from .inspect import Inspected

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder

#: Other texts that each picture's own is compared with.
_OTHERS = 64
#: Above this share of comparisons that are lost, the model knows nothing about the data, and no row is named.
UNKNOWN = 0.3
#: A row is named if at least this share of other texts fits its picture better: half of them, as for a random text, to
#: a model that loses few comparisons in all.
UNLIKELY, UNLIKELY_IF_KNOWN, KNOWN = 0.9, 0.5, 0.1
#: Other classes that there must be, so that a row may be named.
_LEAST_CLASSES = 4


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embeddings of a data set by one model."""

    #: Unit rows [N, D] of the pictures of the examples, zeros for those that cannot be read.
    pictures: Floats
    #: Texts, or sentences of classes, and their unit rows; empty where the model encodes none.
    texts: tuple[str, ...]
    vectors: Floats
    #: For each example the place of its own text; -1 for none.
    own: NDArray[np.intp]
    #: What the model cannot read of each text.
    dropped: tuple[str, ...]


def embed_pictures(
    encoder: Encoder, dataset: Dataset, inspected: Sequence[Inspected], progress: Progress | None = None
) -> Floats:
    """Unit vectors [N, D] of the pictures of the examples, zeros for those that cannot be read."""
    vectors = np.zeros((len(dataset.examples), encoder.dim), np.float32)
    readable = [place for place, one in enumerate(inspected) if one.signature is not None]
    if readable:
        pictures = [dataset.examples[place].picture for place in readable]
        found = encoder.encode_images(pictures, strict=False, progress=progress)
        kept = [readable[place] for place in found.kept]
        if kept:
            vectors[kept] = found.to_features().vectors
    return vectors


def embed(
    encoder: Encoder, dataset: Dataset, inspected: Sequence[Inspected], progress: Progress | None = None
) -> Embedded:
    """The embeddings of pictures and texts; raises InputError for a model that encodes no texts."""
    texts = [_sentence(example) for example in dataset.examples]
    further = [text for example in dataset.examples for text in example.captions]
    distinct = tuple(dict.fromkeys([*filter(None, texts), *further]))
    encoded = encoder.encode_texts(distinct)
    places = {text: place for place, text in enumerate(distinct)}
    own = np.array([places.get(text, -1) for text in texts], np.intp)
    dropped = encoded.dropped or ("",) * len(distinct)
    pictures = embed_pictures(encoder, dataset, inspected, progress)
    return Embedded(pictures, distinct, encoded.vectors, own, dropped)


def _sentence(example: Example) -> str:
    """What should fit the picture; empty for a pair that is said not to match."""
    if isinstance(example.label, str):
        return f"a photo of a {example.label}"
    return "" if example.label is False else example.text or ""


def long_texts(dataset: Dataset, embedded: Embedded) -> list[Finding]:
    """The rows whose text is not read to its end."""
    dropped = dict(zip(embedded.texts, embedded.dropped, strict=True))
    findings = []
    for example in dataset.examples:
        rows = [(example.row, example.line), *example.caption_rows]
        for (row, line), text in zip(rows, example.texts, strict=False):
            if rest := dropped.get(text, ""):
                message = f"the model does not read its end: {_short(rest)}; shorten the text"
                findings.append(Finding("warning", "long-text", message, row, line, example.name, example.file))
    return findings


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def label_noise(dataset: Dataset, embedded: Embedded) -> tuple[list[Finding], float | None]:
    """Rows whose text or class the model finds unlikely, and the share of comparisons with other texts that are lost.

    The share is 0.5 for texts that have nothing to do with the pictures; None where nothing can be compared.
    """
    known = np.flatnonzero((embedded.own >= 0) & embedded.pictures.any(axis=1))
    candidates = np.unique(embedded.own[known])
    if len(candidates) < 2 or not len(known):
        return [], None
    rng = np.random.default_rng(0)
    lost = np.empty(len(known))
    for row, place in enumerate(known.tolist()):
        own = embedded.own[place]
        others = candidates[candidates != own]
        if len(others) > _OTHERS:
            others = rng.choice(others, _OTHERS, replace=False)
        cosines = embedded.vectors[others] @ embedded.pictures[place]
        lost[row] = (cosines > embedded.vectors[own] @ embedded.pictures[place]).mean()
    share = float(lost.mean())
    if share > UNKNOWN and dataset.kind == "classes":
        # words that it does not know are what is to be learnt
        return [], share
    if share > UNKNOWN:
        message = (
            f"to the model, {share:.0%} of random other texts fit a picture better than its own: it does not know what "
            "is in the pictures, or texts belong to other pictures; look at some rows"
        )
        return [Finding("warning", "label-noise", message)], share
    if len(candidates) <= _LEAST_CLASSES:
        return [], share
    limit = UNLIKELY_IF_KNOWN if share <= KNOWN else UNLIKELY
    return [_unlikely(dataset.examples[known[row]], lost[row]) for row in np.flatnonzero(lost >= limit)], share


def _unlikely(example: Example, lost: float) -> Finding:
    what = f"class {example.label!r}" if isinstance(example.label, str) else "text"
    message = f"to the model, {lost:.0%} of other ones fit the picture better than its {what}; look at it"
    return example.finding("warning", "label-noise", message)
