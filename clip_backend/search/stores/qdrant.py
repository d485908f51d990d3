"""A collection of a Qdrant server that holds the vectors of one index, with what its filters ask for."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from ....errors import InputError, MissingPackage, OutputError
from ....log import logger
from ..vectors import Vectors
from .conditions import Condition
from .payload import DATE, DIGEST, FILES, HAS_FILE, HASH, VERSION, number_key, text_key

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

T = TypeVar("T")
COLLECTION = "clip_grid"
#: The environment variable with the key that the server asks for.
KEY_VARIABLE = "CLIP_GRID_STORE_KEY"
TIMEOUT_S = 30
#: Seconds before a request that writes is sent again: after a timeout, a lost connection, or an answer of the server
#: that it cannot do it now.
PAUSES_S = (0.5, 2.0, 8.0)
#: Hashes that are listed by one request.
_LISTED_AT_ONCE = 1000
#: In the collection's metadata.
_MARK = "clip_grid"
_NO_QDRANT = "answers, but not as Qdrant does; see to the URL"
_REFUSED, _BUSY = (401, 403), (429, 500, 502, 503, 504)
#: What filters ask for, by the kind of index that the server keeps of it.
_KEYWORDS = tuple(f"{FILES}[].{name}" for name in ("root", "folder")) + tuple(map(text_key, ("seed", "model")))
_SUBSTRINGS = (text_key("prompt"), f"{FILES}[].path")
_INTEGERS = ("width", "height", HAS_FILE, f"{FILES}[].{DATE}")


class QdrantStore:
    """One collection, which the last part of the URL names; raises InputError for what is no such URL.

    key: that the server asks for. client: used in place of a connection to the URL.
    Methods raise InputError for a server that cannot be reached, refuses the key, or is no Qdrant, and for a collection
    that holds anything but this index; OutputError where writing fails for good.
    """

    def __init__(self, url: str, *, key: str | None = None, client: QdrantClient | None = None) -> None:
        server, self.collection = _server_and_collection(url)
        #: For messages.
        self.name = f"the collection {self.collection!r} at {server}"
        if find_spec("qdrant_client") is None:
            raise MissingPackage(
                "qdrant-client must be there to use a Qdrant server; install it with: pip install 'clip-grid[qdrant]'"
            )
        self._server = server
        self._client = client or _connected(server, key)

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def reach(self) -> None:
        """Raises InputError unless the server is there and takes the key."""
        with self._translated():
            self._client.collection_exists(self.collection)

    def bind(self, space: str, dim: int, index: str) -> None:
        """Makes the collection for an index, or sees that it is that of this one.

        index: the id of the index. Raises InputError for a collection of something else.
        """
        from qdrant_client import models

        with self._translated():
            if not self._client.collection_exists(self.collection):
                self._client.create_collection(
                    self.collection,
                    vectors_config=models.VectorParams(size=dim, distance=models.Distance.COSINE),
                    metadata={_MARK: {"version": VERSION, "space": space, "index": index}},
                )
        self.check(space, dim, index)
        self._make_indexes()

    def check(self, space: str, dim: int, index: str) -> None:
        """Raises InputError unless the collection is there and holds this index."""
        with self._translated():
            if not self._client.collection_exists(self.collection):
                raise InputError(f"there is no {self.name[4:]}; make it with: clip-grid index --store URL")
            config = self._client.get_collection(self.collection).config
        mark = (config.metadata or {}).get(_MARK)
        other = "name another collection, as in --store http://HOST:6333/COLLECTION"
        if not isinstance(mark, Mapping):
            raise InputError(f"{self.name} was not made by CLIP Grid, and is left as it is; {other}")
        if mark.get("version") != VERSION:
            raise InputError(f"{self.name} was made by another version of CLIP Grid; {other}, or delete it")
        if mark.get("space") != space:
            raise InputError(f"{self.name} holds embeddings of another model; {other}")
        if mark.get("index") != index:
            raise InputError(f"{self.name} holds another index; {other}, or delete it")
        if getattr(config.params.vectors, "size", None) != dim:
            raise InputError(f"{self.name} has no vectors of {dim} dimensions; {other}, or delete it")

    def _make_indexes(self) -> None:
        """Makes the indexes of the payload that are not there yet."""
        from qdrant_client import models

        keyword = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
        # the option by which a server finds parts of texts too
        parts = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, prefix=True)
        kinds: dict[str, Any] = {
            **dict.fromkeys(_KEYWORDS, keyword),
            **dict.fromkeys(_SUBSTRINGS, parts),
            **dict.fromkeys(_INTEGERS, models.PayloadSchemaType.INTEGER),
            number_key("seed"): models.PayloadSchemaType.FLOAT,
        }
        with self._translated(), _quiet():
            there = self._client.get_collection(self.collection).payload_schema
            for name, kind in kinds.items():
                if name not in there:
                    self._client.create_payload_index(self.collection, name, field_schema=kind, wait=True)

    # --- points

    def count(self) -> int:
        """How many pictures it holds."""
        with self._translated():
            return int(self._client.count(self.collection, exact=True).count)

    def digests(self, ids: Sequence[str]) -> dict[str, str]:
        """The digest of the payload of those of these points that are there, by their ids."""
        with self._translated():
            found = self._client.retrieve(self.collection, list(ids), with_payload=[DIGEST], with_vectors=False)
        return {str(point.id): str((point.payload or {}).get(DIGEST, "")) for point in found}

    def hashes(self) -> Iterator[dict[str, str]]:
        """The hashes of all pictures that it holds by the ids of their points, in parts."""
        offset: Any = None
        while True:
            with self._translated():
                points, offset = self._client.scroll(
                    self.collection, limit=_LISTED_AT_ONCE, offset=offset, with_payload=[HASH], with_vectors=False
                )
            yield {str(point.id): str((point.payload or {}).get(HASH, "")) for point in points}
            if offset is None:
                return

    def put(self, ids: Sequence[str], vectors: Vectors, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Adds points, or replaces those that are there; returns when they are stored."""
        from qdrant_client import models

        points = [
            models.PointStruct(id=id, vector=vector.tolist(), payload=dict(payload))
            for id, vector, payload in zip(ids, vectors, payloads, strict=True)
        ]
        self._written(lambda: self._client.upsert(self.collection, points, wait=True))

    def put_payloads(self, payloads: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces the payloads of points that are there, by their ids."""
        from qdrant_client import models

        operations = [
            models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(payload=dict(payload), points=[id]))
            for id, payload in payloads.items()
        ]
        self._written(lambda: self._client.batch_update_points(self.collection, operations, wait=True))

    def remove(self, ids: Sequence[str]) -> None:
        """Removes points."""
        from qdrant_client import models

        selected = models.PointIdsList(points=list(ids))
        self._written(lambda: self._client.delete(self.collection, selected, wait=True))

    def nearest(self, vector: Vectors, condition: Condition, count: int, *, exact: bool = False) -> list[str]:
        """The hashes of the pictures that fulfil the condition and are nearest to a vector [dim], the nearest first.

        exact: compare with all of them, where the server may otherwise go by its graph.
        """
        from qdrant_client import models

        with self._translated(), _quiet():
            found = self._client.query_points(
                self.collection,
                query=np.asarray(vector, np.float32).tolist(),
                query_filter=models.Filter.model_validate({"must": [condition]}),
                search_params=models.SearchParams(exact=exact),
                limit=count,
                with_payload=[HASH],
            )
        return [str((point.payload or {}).get(HASH, "")) for point in found.points]

    # --- errors

    def _written(self, write: Callable[[], T]) -> T:
        """What ``write`` returns, tried again where that may help; every write may be done twice."""
        from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        for pause in (*PAUSES_S, None):
            try:
                return write()
            except (ResponseHandlingException, ResourceExhaustedResponse, UnexpectedResponse) as error:
                status = error.status_code if isinstance(error, UnexpectedResponse) else None
                if status is not None and status not in _BUSY:
                    with self._translated():
                        raise
                if pause is None:
                    raise OutputError(
                        f"{self.name} takes nothing more ({_reason(error)}); what it has is kept, and the same command "
                        "continues from there"
                    ) from error
                logger.info("%s did not take a part (%s); it is sent again", self.name, _reason(error))
                time.sleep(max(pause, float(getattr(error, "retry_after_s", 0) or 0)))
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """A block whose errors of the network become errors that say what to do."""
        from pydantic import ValidationError
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            yield
        except UnexpectedResponse as error:
            if error.status_code in _REFUSED:
                raise InputError(
                    f"{self._server} refuses the key; put the right one into the environment variable {KEY_VARIABLE}"
                ) from error
            raise InputError(f"{self.name} cannot be used: {_reason(error)}") from error
        except ResponseHandlingException as error:
            if isinstance(error.source, ValueError):
                raise InputError(f"{self._server} {_NO_QDRANT}") from error
            raise InputError(
                f"{self._server} cannot be reached ({_reason(error)}); start Qdrant there, or see to the URL"
            ) from error
        except (ValidationError, AssertionError) as error:
            # the client asserts that an answer has what Qdrant's have
            raise InputError(f"{self._server} {_NO_QDRANT}") from error
        except QdrantException as error:
            raise InputError(f"{self.name} cannot be used: {_reason(error)}") from error


def _server_and_collection(url: str) -> tuple[str, str]:
    """The URL of the server, and the name of the collection that follows it."""
    example = "write one such as http://127.0.0.1:6333, or http://127.0.0.1:6333/COLLECTION"
    try:
        parts = urlsplit(url.strip())
        has_port = parts.port is not None
    except ValueError as error:
        raise InputError(f"the store {url!r} is no URL ({error}); {example}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError(f"the store {url!r} is no URL of a Qdrant server; {example}")
    if parts.username or parts.password:
        raise InputError(f"the URL of the store holds a password; put the key into {KEY_VARIABLE} and leave it out")
    before, _, collection = parts.path.strip("/").rpartition("/")
    place = parts.netloc if has_port else f"{parts.netloc}:6333"
    return urlunsplit((parts.scheme, place, f"/{before}" if before else "", "", "")), collection or COLLECTION


def _connected(server: str, key: str | None) -> QdrantClient:
    from qdrant_client import QdrantClient

    parts = urlsplit(server)
    if key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        logger.warning("the key is sent to %s without encryption; use https where others may listen", server)
    with _quiet():
        # the check of versions would ask the server in a thread of its own, and print
        return QdrantClient(url=server, api_key=key or None, timeout=TIMEOUT_S, check_compatibility=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """A block in which the client's warnings, which are for programmers, are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _reason(error: Exception) -> str:
    """What an error of the client says, on one line."""
    status = getattr(error, "status_code", None)
    if status is not None:
        content = getattr(error, "content", b"")
        return f"it answers {status}: {content[:300].decode('utf-8', 'replace')}"
    source = getattr(error, "source", error)
    if "timeout" in type(source).__name__.lower():
        return f"no answer within {TIMEOUT_S} s"
    return " ".join(str(source).split()) or type(source).__name__
