"""Pictures of an index found by texts, by pictures, or by both, in one call."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..clip_backend.scoring.scales import encoded_bank, length_class
from ..clip_backend.search.diversity import NEAR
from ..clip_backend.search.index import Index
from ..clip_backend.search.query import Hits, Part, Query
from ..clip_backend.search.search import search as search_index
from ..clip_backend.search.stores.nearest import StoreSearch
from ..errors import InputError
from ..grid.template import GridTemplate
from ..imaging import content_hash
from ..input_files import read_file
from ..log import logger
from ..options import option, read_options
from .index import index_folder
from .models import LazyModel, Model, index_model
from .pictures import Array, StrPath

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.search.stores.qdrant import QdrantStore
    from .options import SearchKeywords

#: A text, or a text with its weight.
Text = str | tuple[str, float]
#: A picture from a file or from memory, or a picture with its weight.
Like = StrPath | Array | tuple[StrPath, float] | tuple[Array, float]
#: How a sheet shows hits: the best first, not as a table of what their generation data differ in.
IN_ORDER = GridTemplate(
    name="hits", sort_by="given", x_axis="none", y_axis="none", page_axis="none", label_position="below"
)
#: Bytes of a picture that hits are to be like.
_MOST_BYTES = 256 << 20
#: A text with its weight.
_WEIGHT = re.compile(r"(.*)::\s*(\d+(?:\.\d*)?|\.\d+)\s*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What hits are chosen by, beside texts and pictures."""

    top: int = option(12, "How many hits", low=1, high=100_000)
    keywords: str = option("", "Words that the prompt has; their hits and those by meaning are ranked together")
    where: str = option("", "Only pictures with these data, such as: seed=42 and cfg>5, or: model~xl and width>=1024")
    diversity: float = option(
        0.0, "0 for the best hits, up to 1 for hits that differ from each other as much as possible", low=0, high=1
    )
    duplicates: float = option(NEAR, "The least cosine of near-duplicates; 0 to take nothing for one", low=0, high=1)
    collapse: bool = option(False, "Show only the best of each group of near-duplicates")
    strong: bool = option(False, "Leave out hits that are weak")


def search(
    text: Text | Sequence[Text] = (),
    *,
    without: Text | Sequence[Text] = (),
    like: Like | Sequence[Like] = (),
    unlike: Like | Sequence[Like] = (),
    index: StrPath | Index | None = None,
    model: Model = None,
    store: QdrantStore | None = None,
    exact: bool = False,
    **options: Unpack[SearchKeywords],
) -> Hits:
    """The pictures of an index that fit best, the best first.

    text, without: what is to be in the pictures, and what not. like, unlike: pictures that they are to resemble, and
    not to resemble; a picture of the index is no hit for itself. Each may have a weight, as in ``("fox", 2)``; each is
    standardised over the whole index before they are summed, so that texts and pictures count alike.
    index: a folder or an open index; None for the default. model: opened only where there is something to encode;
    None for the one that the index was made with. store: asked for the nearest pictures; it must hold a copy of the
    index. exact: have the store compare all vectors. options: fields of SearchOptions.
    With neither texts, pictures nor keywords, hits are the newest pictures that pass the filter.
    Raises InputError for an index that is not there, for a model of another embedding space, for a filter or option
    that cannot be used, and what loading a model raises.
    """
    wanted = read_options(SearchOptions, options)
    with nullcontext(index) if isinstance(index, Index) else closing(Index.open(index_folder(index))) as opened:
        # before a model is loaded
        copy = StoreSearch(opened, store, exact=exact) if store else None
        query = Query(
            parts=_parts(opened, text, without, like, unlike, model), keywords=wanted.keywords, where=wanted.where,
            top=wanted.top, diversity=wanted.diversity, duplicates=wanted.duplicates, collapse=wanted.collapse,
        )  # fmt: skip
        found = search_index(opened, query, copy)
    if not wanted.strong:
        return found
    return replace(found, hits=tuple(hit for hit in found.hits if not hit.is_weak))


def why_nothing(found: Hits, where: str, strong: bool, mark: str = "") -> str:
    """Why a search has no hits.

    where, strong: as it was asked. mark: what stands before the names of options, such as the two hyphens of a flag.
    """
    if not found.total:
        return "the index holds no pictures; index some first"
    if not found.passed:
        return f"no picture passes the filter of {mark}where" if where.strip() else "no picture is there"
    return f"no picture fits; without {mark}strong, weak ones are shown" if strong else "no picture has these keywords"


def weighted(text: str) -> tuple[str, float]:
    """A text, or a path, and the weight that may stand after it, as in ``fox::0.5``.

    Raises InputError for a weight of 0, and where there is no text.
    """
    found = _WEIGHT.fullmatch(text)
    if not (found[1] if found else text).strip():
        raise InputError(f"{text!r} has no text; write what to look for, as in: fox::0.5")
    if not found:
        return text, 1.0
    weight = float(found[2])
    if not weight:
        raise InputError(f"the weight of {text!r} is 0; leave it out, or ask for pictures without it")
    return found[1], weight


def _parts(
    index: Index,
    text: Text | Sequence[Text],
    without: Text | Sequence[Text],
    like: Like | Sequence[Like],
    unlike: Like | Sequence[Like],
    model: Model,
) -> list[Part]:
    """The parts of a query; a model is opened only if there are any."""
    texts = [*_texts(text, 1.0), *_texts(without, -1.0)]
    pictures = [*_pictures(like, 1.0), *_pictures(unlike, -1.0)]
    if not texts and not pictures:
        return []
    settings = index.settings()
    choice = index_model(model, settings.get("source", ""))
    encoder = _encoder(choice, bool(texts))
    if settings and encoder.space != settings["space"]:
        raise InputError(
            f"the index holds embeddings of {settings['model']}, and {encoder.identity.name} has another embedding "
            "space; choose that model, or none, which takes that of the index"
        )
    return [*text_parts(encoder, texts), *picture_parts(encoder, pictures)]


def text_parts(encoder: Encoder, texts: Sequence[tuple[str, float]]) -> list[Part]:
    """The parts of a query that are texts, each with its weight; raises InputError for an empty one."""
    if not texts:
        return []
    features = encoder.encode_texts([text for text, _ in texts], long_text="mean")
    bank = encoded_bank(encoder)
    banks = {"short": bank.short.vectors, "long": bank.long.vectors}
    return [
        Part(kind="text", name=text, vector=vector, weight=weight, bank=banks[length_class(text)])
        for (text, weight), vector in zip(texts, features.vectors, strict=True)
    ]


def picture_parts(encoder: Encoder, pictures: Sequence[tuple[StrPath | Array, float]]) -> list[Part]:
    """The parts of a query that are pictures; raises PictureError for one that cannot be read."""
    if not pictures:
        return []
    features = encoder.encode_images([picture for picture, _ in pictures]).to_features()
    return [
        Part(kind="picture", name=name, vector=vector, weight=weight, hash=_hash(picture))
        for (picture, weight), name, vector in zip(pictures, features.ids, features.vectors, strict=True)
    ]


def _hash(picture: StrPath | Array) -> str:
    """The hash of a file, by which the index knows the picture itself; empty for a picture from memory."""
    if not isinstance(picture, (str, os.PathLike)):
        return ""
    return content_hash(read_file(Path(picture), "the picture", most_bytes=_MOST_BYTES))


def _encoder(choice: LazyModel, needs_texts: bool) -> Encoder:
    encoder = choice.for_texts() if needs_texts else choice()
    for note in choice.notes:
        logger.info("%s", note)
    return encoder


def _texts(given: object, sign: float) -> Iterator[tuple[str, float]]:
    """Each text with its weight; texts without anything to see are left out."""
    for text, weight in _weighted(given):
        if not isinstance(text, str):
            raise InputError(f"a text is a {type(text).__name__}; give strings, or (text, weight)")
        if text.strip():
            yield text.strip(), sign * weight


def _pictures(given: object, sign: float) -> Iterator[tuple[Any, float]]:
    """Each picture with its weight."""
    for picture, weight in _weighted(given):
        yield os.path.expanduser(picture) if isinstance(picture, str) else picture, sign * weight


def _weighted(given: object) -> Iterator[tuple[Any, float]]:
    """One or several values, with their weights or with 1."""
    is_one = isinstance(given, (str, os.PathLike, np.ndarray, Image.Image)) or _is_weighted(given)
    several: Any = [given] if is_one else given
    for one in several:
        value, weight = one if _is_weighted(one) else (one, 1.0)
        yield value, float(weight)


def _is_weighted(given: object) -> bool:
    """Whether it is one text or picture with a number that is its weight."""
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], (int, float))
