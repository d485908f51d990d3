"""JSON as strangers write it: values of bounded number and depth, or one error that says why; and as we write it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .errors import InputError

#: Nothing is read that is nested deeper, so that functions that call themselves for each level may work on it.
MAX_DEPTH = 100
#: Commas, colons and brackets of the largest JSON that is read; what they part takes up to 100 bytes each.
MAX_MARKS = 2_000_000
_LINE_END = "\n"
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_BLANKS = re.compile(r"[ \t\n\r]*")


class JsonError(InputError):
    """A text is no JSON, or more of it than is read; the message says where or why, without the name of the text."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name in names if counts[name] > 1)
        raise JsonError(f"one object holds {twice[:80]!r} twice; put both under one")
    return names


def _no_constant(name: str) -> object:
    raise JsonError(f"{name} is no number of JSON")


#: JSON as Python reads it: of equal names the last counts, and NaN and Infinity are numbers.
TOLERANT = json.JSONDecoder()
#: JSON by the standard: NaN, Infinity and repeated names in one object are refused.
STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
#: Names that stand twice in one object are refused; for data in which NaN stands for what is missing.
UNIQUE = json.JSONDecoder(object_pairs_hook=_unique)
#: NaN and Infinity are refused.
FINITE = json.JSONDecoder(parse_constant=_no_constant)


def parse_json(text: str | bytes, decoder: json.JSONDecoder = TOLERANT, *, max_marks: int = MAX_MARKS) -> Any:
    """The value of a whole text; bytes are UTF-8, or what their zeros show to be UTF-16 or UTF-32.

    max_marks: commas, colons and brackets that there may be. Raises JsonError.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode(json.detect_encoding(text))
        except UnicodeDecodeError as error:
            raise JsonError(f"it is not {error.encoding}: {error.reason} at byte {error.start}") from error
    text = text.removeprefix("\ufeff")
    check_marks(text, max_marks)
    value, end = next_json(text, after_blanks(text, 0), decoder)
    if (end := after_blanks(text, end)) < len(text):
        raise _error("something follows its end", text, end)
    return value


def parse_object(text: str | bytes, decoder: json.JSONDecoder = TOLERANT) -> dict[str, Any]:
    """The object that is the value of a whole text; raises as ``parse_json``, and for a value of another kind."""
    value = parse_json(text, decoder)
    if not isinstance(value, dict):
        raise JsonError("it holds no object")
    return value


def next_json(text: str, start: int, decoder: json.JSONDecoder = TOLERANT) -> tuple[Any, int]:
    """The value that begins at a place, and where it ends; raises JsonError. The caller bounds its size."""
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _error(error.msg.lower(), text, error.pos) from error
    except JsonError:
        # of the decoder's own rules
        raise
    except ValueError as error:
        # a number of more digits than Python reads
        raise JsonError("it holds a number of too many digits") from error
    except RecursionError as error:
        raise _too_deep() from error
    # each level begins with a bracket: most texts have too few
    is_flat = text.count("[", start, end) + text.count("{", start, end) <= MAX_DEPTH
    level = [value] if not is_flat and isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            break
        level = [inner for outer in level for inner in _values(outer) if isinstance(inner, (dict, list))]
    if level:
        raise _too_deep()
    return value, end


def check_marks(text: str, max_marks: int = MAX_MARKS) -> None:
    """Raises JsonError for a text that would take too much memory as values."""
    # each mark is a character: most texts are too short to have as many
    if len(text) > max_marks and sum(map(text.count, ",:[{")) > max_marks:
        raise JsonError(f"it holds more than {max_marks:,} names and values, the most that are read")


def to_json(value: object, indent: int | None = None) -> str:
    """JSON as people read it, for every encoding of Unicode.

    Lone surrogates, which file names and foreign texts may hold, stay escaped.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _SURROGATE.sub(lambda surrogate: f"\\u{ord(surrogate[0]):04x}", text)


def to_ascii(text: str) -> str:
    """Equal JSON with escapes in place of all that is not ASCII."""
    return text if text.isascii() else _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)


def after_blanks(text: str, start: int) -> int:
    """Where the next value begins, or the text ends."""
    blanks = _BLANKS.match(text, start)
    return blanks.end() if blanks else start


def _values(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, list) else ()


def _error(problem: str, text: str, at: int) -> JsonError:
    line = text.count(_LINE_END, 0, at) + 1
    return JsonError(f"{problem} at line {line}, column {at - text.rfind(_LINE_END, 0, at)}")


def _too_deep() -> JsonError:
    return JsonError(f"it is nested more than {MAX_DEPTH} levels deep")
