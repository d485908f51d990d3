"""What the browser asks an index, as JSON that is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...errors import InputError
from ...json_text import FINITE, JsonError, parse_json

#: Bytes of a request, letters of each of its texts, parts of a query, hits of an answer, and hits before the first.
MAX_BODY, MAX_TEXT, MAX_PARTS, MAX_TOP, MAX_OFFSET = 64 * 1024, 4000, 16, 300, 5000
#: Pictures of a sheet.
MAX_IDS = 1000
#: The fields of a part, of which one says what it is.
_PART_KINDS: Mapping[str, type] = {"text": str, "id": int, "picture": str}


@dataclass(frozen=True)
class AskedPart:
    """A text, a picture of the index by its id, or a dropped picture by the name that it was given."""

    text: str = ""
    id: int = 0
    picture: str = ""
    #: Negative for what hits are to be unlike.
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """A query of one client; raises InputError for what our own page never sends."""

    #: Names the page that asks; a later number of its ``sequence`` makes earlier requests void.
    client: str = ""
    sequence: int = 0
    parts: tuple[AskedPart, ...] = ()
    keywords: str = ""
    where: str = ""
    top: int = 60
    offset: int = 0

    @classmethod
    def from_json(cls, body: bytes) -> SearchRequest:
        """Raises InputError for a body that is no JSON object of the fields above."""
        try:
            data = parse_json(body, FINITE)
        except JsonError as error:
            raise InputError(f"the request is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise InputError("the request is no JSON object")
        known = {one.name for one in fields(cls)}
        for name in data:
            if name not in known:
                raise InputError(f"the request has the field {name!r}; known are {', '.join(sorted(known))}")
        parts = data.pop("parts", [])
        if not isinstance(parts, list) or len(parts) > MAX_PARTS:
            raise InputError(f"parts must be a list of at most {MAX_PARTS}")
        return cls(parts=tuple(map(_part, parts)), **data)

    def __post_init__(self) -> None:
        for name in ("client", "keywords", "where"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_TEXT:
                raise InputError(f"{name} must be a text of at most {MAX_TEXT} letters")
        for name, low, high in (("sequence", 0, 2**53), ("top", 1, MAX_TOP), ("offset", 0, MAX_OFFSET)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise InputError(f"{name} must be a whole number from {low} to {high}")


def read_ids(body: bytes) -> list[int]:
    """The pictures of ``{"ids": […]}``, in their order; raises InputError for anything else."""
    try:
        data = parse_json(body, FINITE)
    except JsonError as error:
        raise InputError(f"the request is not JSON ({error})") from error
    ids = data.get("ids") if isinstance(data, dict) else None
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_IDS or any(type(one) is not int for one in ids):
        raise InputError(f"ids must be a list of 1 to {MAX_IDS} whole numbers")
    return list(dict.fromkeys(ids))


def _part(data: Any) -> AskedPart:
    kinds = [name for name in _PART_KINDS if isinstance(data, dict) and name in data]
    if len(kinds) != 1 or set(data) - {*kinds, "weight"}:
        raise InputError("each part is an object with text, id or picture, and with weight if it is not 1")
    (kind,) = kinds
    value = data[kind]
    weight = data.get("weight", 1)
    is_bad_text = isinstance(value, str) and not 0 < len(value.strip()) <= MAX_TEXT
    if type(value) is not _PART_KINDS[kind] or is_bad_text:
        raise InputError(f"the {kind} of a part must be {'a whole number' if kind == 'id' else 'a text'}")
    if type(weight) not in (int, float) or not -100 <= weight <= 100:
        raise InputError("the weight of a part must be a number from -100 to 100")
    asked: dict[str, Any] = {kind: value}
    return AskedPart(**asked, weight=float(weight))


class Newest:
    """The newest request of each client, by which older ones are known to be void."""

    #: Clients that are remembered.
    MOST = 500

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}

    def enter(self, request: SearchRequest) -> None:
        """Takes note of a request."""
        newest = max(request.sequence, self._sequences.pop(request.client, 0))
        self._sequences[request.client] = newest
        if len(self._sequences) > self.MOST:
            del self._sequences[next(iter(self._sequences))]

    def is_void(self, request: SearchRequest) -> bool:
        """Whether its client has asked something else since; a client without a name has no order."""
        return bool(request.client) and self._sequences.get(request.client, 0) > request.sequence
