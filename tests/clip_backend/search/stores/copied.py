"""An index with many kinds of pictures, and a Qdrant collection in memory that holds its copy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.stores.mirror import MirrorUpdate, mirror
from clip_grid.clip_backend.search.stores.nearest import StoreSearch
from clip_grid.clip_backend.search.stores.qdrant import QdrantStore
from clip_grid.clip_backend.search.writer import IndexWriter
from hypothesis import strategies as st

from ..filled import Made, fill

URL = "http://127.0.0.1:6333"
MODELS = ("Dream Shaper", "juggernaut XL", "Ёлка", "ёлка 2", "straße", "STRASSE", "4")
PROMPTS = ("a red fox in the snow", "Red deer", "лиса, snow", 'the "fox"', "")
DAY = 86_400
#: In UTC the first second of 2024.
FIRST = 1_704_067_200


def many_pictures(count: int, dim: int) -> list[Made]:
    """Pictures with all kinds of fields; each third has none of the properties."""
    random = np.random.default_rng(3)
    vectors = random.standard_normal((count, dim)).astype(np.float32)
    return [
        Made(
            f"{('', 'a', 'a/Sommer Ö')[n % 3]}/{n}.png".lstrip("/"),
            vector,
            _properties(n) if n % 3 else {},
            size=((512, 512), (1344, 768), (768, 1344))[n % 3],
            mtime=FIRST + n % 700 * DAY / 2,
            copies=[f"copies/{n % 5}/{n}.png"] if n % 4 == 0 else (),
        )
        for n, vector in enumerate(vectors)
    ]


def _properties(n: int) -> dict[str, str]:
    return {
        "seed": str(2**64 - 1 - n % 7 if n % 11 == 0 else n % 50),
        "cfg": ("7.5", "4", "4.0", "auto")[n % 4],
        "model": MODELS[n % len(MODELS)],
        "prompt": PROMPTS[n % len(PROMPTS)],
        "Sampler.name [x]": ("Euler a", "DPM++")[n % 2],
    }


def lose_files(folder: Path) -> None:
    """Marks a fifth of the files as missing."""
    with IndexWriter(folder) as writer:
        writer.connection.execute("UPDATE files SET missing = 1 WHERE id % 5 = 0")


def make_index(folder: Path, count: int, dim: int = 32) -> Path:
    """An index of so many pictures, some of whose files are missing."""
    fill(folder, many_pictures(count, dim))
    lose_files(folder)
    return folder


def store_in_memory() -> QdrantStore:
    """A store whose server is the client itself."""
    from qdrant_client import QdrantClient

    return QdrantStore(URL, client=QdrantClient(":memory:"))


def copy_to(store: QdrantStore, folder: Path) -> MirrorUpdate:
    """Brings the store up to date with the index in a folder."""
    with IndexWriter(folder) as writer, warnings.catch_warnings():
        # it says that it has no indexes of payloads
        warnings.simplefilter("ignore", UserWarning)
        return mirror(writer, store)


@contextmanager
def opened(folder: Path, store: QdrantStore) -> Iterator[tuple[Index, StoreSearch]]:
    """The index, and the search in its copy."""
    with Index.open(folder) as index:
        yield index, StoreSearch(index, store, exact=True)


_NUMBERS = st.sampled_from(["4", "7.5", "42", "0", str(2**64 - 1), "1e3", "-1", "512", "1000"])
_TEXTS = st.sampled_from(["fox", "RED", "ёлка", "ЛИСА", "strasse", "Straße", "euler a", "a", "Ö", "", "4", "'"])
_COMPARISONS = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["seed", "cfg", "width", "height", "model"]),
        st.sampled_from(["=", "!="]),
        _NUMBERS,
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["seed", "cfg", "width", "height"]),
        st.sampled_from(["<", ">=", ">", "<="]),
        _NUMBERS,
    ),
    st.builds(
        lambda field, operator, text: "{} {} '{}'".format(field, operator, text.replace("'", "''")),
        st.sampled_from(["model", "prompt", "cfg", '"sampler.name [x]"', "name", "folder", "path", "root"]),
        st.sampled_from(["=", "!=", "~"]),
        _TEXTS,
    ),
    st.sampled_from(["name < m", "model >= k", "folder=a", "folder ~ sommer", "path ~ 'a/sommer ö/'", "ratio=16:9"]),
    st.sampled_from(["ratio != 1", "ratio < 1", "missing=yes", "missing=no", "missing != yes", "seed in (1, 2, 42)"]),
    st.builds(
        "date {} {}".format,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["2024", "2024-05", "2024-05-31", "2024-03-01T12:00"]),
    ),
)
#: Filters for such an index.
FILTERS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)
