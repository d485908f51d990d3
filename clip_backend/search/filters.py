"""Filters such as ``seed=42 and cfg>5``: read as a tree of comparisons, whose texts SQL gets as parameters alone.

    filter     = term {"or" term};  term = factor {"and" factor};  factor = "not" factor | "(" filter ")" | comparison
    comparison = field operator value | field ["not"] "in" "(" value {"," value} ")"
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"

A field is a property of the generation data or one of ``FIELDS``; case does not matter, and spaces are underscores. A
value is a word or stands in quotes, of which two in a row are one. ``~`` means contains. ``!=`` is true of what has
the property with another value, ``not seed=42`` also of what has no seed. A picture with several files passes if one
of them does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import InputError

#: What every picture has, beside its properties.
FIELDS = ("width", "height", "ratio", "name", "folder", "path", "root", "date", "missing")
OPERATORS = ("=", "!=", "<=", ">=", "<", ">", "~")
#: A longer filter, a deeper one and one with more values is refused.
MOST_LETTERS, DEEPEST, MOST_VALUES = 10_000, 40, 200
_TOKEN = re.compile(
    r"""\s*(?:(?P<operator><=|>=|!=|==|=|<>|<|>|~)|(?P<mark>[(),])|(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')"""
    r"""|(?P<word>[^\s=!<>~(),"']+)|(?P<wrong>\S))""",
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_SAME = {"==": "=", "<>": "!="}


@dataclass(frozen=True)
class Value:
    """What a field is compared with."""

    text: str
    #: The value of a word that is a number; what stands in quotes is a text.
    number: float | None


@dataclass(frozen=True)
class Comparison:
    """One field with one operator; several values are those of ``in``, of which one must be equal."""

    field: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Combination:
    """Filters that "and" or "or" joins, or the one that "not" turns round."""

    operator: str
    parts: tuple[Filter, ...]


Filter = Comparison | Combination


def field_name(text: str) -> str:
    """A field as fields are compared: small letters, with an underscore for spaces and dashes."""
    return re.sub(r"[\s_-]+", "_", text.strip()).casefold()


def read_filter(text: str) -> Filter:
    """The filter that a text means; raises InputError that says where it cannot be read, and what belongs there."""
    if len(text) > MOST_LETTERS:
        raise InputError(f"the filter has {len(text):,} letters; {MOST_LETTERS:,} are allowed")
    reader = _Reader(text)
    found = reader.joined("or", lambda: reader.joined("and", reader.factor))
    if reader.kind:
        reader.fail("and, or or the end")
    return found


def comparisons(found: Filter) -> tuple[Comparison, ...]:
    """The comparisons of a filter, in their order."""
    if isinstance(found, Comparison):
        return (found,)
    return tuple(one for part in found.parts for one in comparisons(part))


class _Reader:
    """The tokens of a filter, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(one.lastgroup or "", one[one.lastgroup or 0], one.start(one.lastgroup or 0))
                        for one in _TOKEN.finditer(text)]  # fmt: skip
        self._place = self._depth = self._values = 0

    @property
    def kind(self) -> str:
        """The kind of the next token; empty at the end."""
        return self._tokens[self._place][0] if self._place < len(self._tokens) else ""

    @property
    def token(self) -> str:
        return self._tokens[self._place][1] if self.kind else ""

    def is_word(self, *words: str) -> bool:
        """Whether one of these words is next."""
        return self.kind == "word" and self.token.lower() in words

    def is_mark(self, mark: str) -> bool:
        return self.kind == "mark" and self.token == mark

    def take(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1][1]

    def expect(self, mark: str) -> None:
        if not self.is_mark(mark):
            self.fail(f'"{mark}"')
        self._place += 1

    def fail(self, wanted: str) -> None:
        """Raises InputError for what is next."""
        if not self.kind:
            raise InputError(f"the filter {self._shown()} ends where {wanted} belongs")
        place = self._tokens[self._place][2]
        cure = ""
        if self.kind == "word" and self._place and self._tokens[self._place - 1][0] == "word":
            cure = "; put a value of several words in quotes"
        elif self.kind == "wrong" and self.token in "\"'":
            cure = "; a quote is not closed"
        raise InputError(
            f"the filter {self._shown()} has {self.token[:40]!r} at letter {place + 1}, where {wanted} belongs{cure}"
        )

    def _shown(self) -> str:
        return repr(self._text if len(self._text) <= 80 else f"{self._text[:79]}…")

    def joined(self, word: str, part: Callable[[], Filter]) -> Filter:
        """One part, or several with this word between them."""
        parts = [part()]
        while self.is_word(word):
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Combination(word, tuple(parts))

    def factor(self) -> Filter:
        self._depth += 1
        if self._depth > DEEPEST:
            raise InputError(f"the filter {self._shown()} is nested more than {DEEPEST} levels deep")
        found: Filter
        if self.is_word("not"):
            self.take()
            found = Combination("not", (self.factor(),))
        elif self.is_mark("("):
            self.take()
            found = self.joined("or", lambda: self.joined("and", self.factor))
            self.expect(")")
        else:
            found = self.comparison()
        self._depth -= 1
        return found

    def comparison(self) -> Filter:
        field = self._field()
        is_turned = self.is_word("not")
        if is_turned:
            self.take()
        if self.is_word("in"):
            self.take()
            found: Filter = Comparison(field, "=", self._list())
            return Combination("not", (found,)) if is_turned else found
        if is_turned or self.kind != "operator":
            self.fail("in" if is_turned else f"one of {' '.join(OPERATORS)} or in")
        operator = self.take()
        return Comparison(field, _SAME.get(operator, operator), (self._value(),))

    def _field(self) -> str:
        if self.kind not in ("word", "quoted"):
            self.fail("the name of a field")
        if self.kind == "quoted":
            return field_name(_unquoted(self.take()))
        words = [self.take()]
        while self.kind == "word" and not self.is_word("in", "not", "and", "or"):
            words.append(self.take())
        return field_name(" ".join(words))

    def _list(self) -> tuple[Value, ...]:
        self.expect("(")
        values = [self._value()]
        while self.is_mark(","):
            self.take()
            values.append(self._value())
        self.expect(")")
        return tuple(values)

    def _value(self) -> Value:
        self._values += 1
        if self._values > MOST_VALUES:
            raise InputError(f"the filter {self._shown()} has more than {MOST_VALUES} values")
        if self.kind == "quoted":
            return Value(_unquoted(self.take()), None)
        if self.kind != "word":
            self.fail("a value")
        word = self.take()
        return Value(word, float(word) if _NUMBER.fullmatch(word) else None)


def _unquoted(token: str) -> str:
    return token[1:-1].replace(token[0] * 2, token[0])


def names_like(field: str, names: Sequence[str]) -> list[str]:
    """Up to three of these names that are near to a field that none of them is."""
    import difflib

    near = difflib.get_close_matches(field, names, 3, 0.5)
    return near or sorted(name for name in names if field in name or name in field)[:3]
