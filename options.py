"""An option is declared once, on a dataclass field; checks, ComfyUI widgets and command line flags are made from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = int | float | str | bool
#: Where a template takes a label or text.
SLOT = "{}"
#: The options of dataclasses, once they were asked for.
_DECLARED: dict[type, Mapping[str, Option]] = {}
Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class Option:
    """What a user is told about one setting, and what it may be."""

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    #: Free text of several lines in a ComfyUI widget.
    multiline: bool = False
    #: Shown among the advanced inputs by front ends that fold them away.
    advanced: bool = False

    @property
    def is_color(self) -> bool:
        """Whether its text is a colour."""
        return self.name.endswith("_color") or self.name == "background"

    def parse(self, raw: object) -> Value:
        """The value as this option's type, inside its bounds; raises InputError naming the option."""
        value = self._as_type(raw)
        if self.choices and value not in self.choices:
            near = get_close_matches(str(value)[:200], self.choices, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{self.name} is {value!r}; it must be one of {', '.join(self.choices)}{hint}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_bounds(value)
        return value

    def _as_type(self, raw: object) -> Value:
        kind = type(self.default)
        if kind is bool:
            return _as_bool(self.name, raw)
        if kind is str:
            return _as_text(self.name, raw)
        number = _as_number(self.name, raw)
        if kind is float:
            return float(number)
        if not float(number).is_integer():
            raise InputError(f"{self.name} is {raw!r}; it must be a whole number")
        return int(number)

    def _check_bounds(self, value: float) -> None:
        low_ok = self.low is None or value >= self.low
        high_ok = self.high is None or value <= self.high
        if not (low_ok and high_ok):
            bounds = " to ".join("any" if b is None else f"{b:,.10g}" for b in (self.low, self.high))
            raise InputError(f"{self.name} is {value:g}; it must be in the range {bounds}")


def option(
    default: Value,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    multiline: bool = False,
    advanced: bool = False,
) -> Any:
    """A dataclass field that carries its own documentation, bounds and choices."""
    spec = Option("", default, help, low, high, tuple(choices), multiline, advanced)
    return field(default=default, metadata={"option": spec})


def options_of(cls: type[DataclassInstance]) -> Mapping[str, Option]:
    """The options declared on a dataclass, by name, in the order of declaration."""
    if cls not in _DECLARED:
        _DECLARED[cls] = MappingProxyType({f.name: _named(f) for f in fields(cls) if "option" in f.metadata})
    return _DECLARED[cls]


def _named(f: Field[Any]) -> Option:
    spec: Option = f.metadata["option"]
    return Option(f.name, *(getattr(spec, g.name) for g in fields(Option)[1:]))


def check(cls: type[DataclassInstance], given: Mapping[str, object]) -> dict[str, Value]:
    """The given settings, parsed and inside their bounds; raises InputError for a bad value or an unknown name."""
    known = options_of(cls)
    checked = {}
    for name, raw in given.items():
        if name not in known:
            raise unknown_option(name, known)
        checked[name] = known[name].parse(raw)
    return checked


def unknown_option(name: str, known: Iterable[str]) -> InputError:
    """The error for an option that is not there, with the nearest one that is."""
    near = get_close_matches(name[:200], known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"there is no option {name!r}{hint}")


def read_options(cls: type[Settings], given: Mapping[str, object]) -> Settings:
    """The settings as an instance of their dataclass; raises as ``check``."""
    checked: dict[str, Any] = check(cls, given)
    return cls(**checked)


def widgets(options: Iterator[Option] | Sequence[Option]) -> dict[str, tuple[object, dict[str, object]]]:
    """ComfyUI input declarations (the values of INPUT_TYPES) for the options, in their order."""
    return {o.name: _widget(o) for o in options}


def _widget(o: Option) -> tuple[object, dict[str, object]]:
    extra: dict[str, object] = {"default": o.default, "tooltip": o.help}
    if o.advanced:
        extra["advanced"] = True
    if o.choices:
        return list(o.choices), extra
    if isinstance(o.default, bool):
        return "BOOLEAN", extra
    if isinstance(o.default, str):
        return "STRING", extra | {"multiline": o.multiline}
    extra |= {key: bound for key, bound in (("min", o.low), ("max", o.high)) if bound is not None}
    if isinstance(o.default, int):
        return "INT", extra
    return "FLOAT", extra | {"step": 0.01}


#: Letters of the choices that the help shows beside a flag; longer ones stand in its text.
MAX_SHOWN = 80


def add_flags(parser: argparse._ActionsContainer, options: Sequence[Option], aliases: Sequence[str] = ()) -> None:
    """One command line flag per option: ``--cell-width N``; booleans also as ``--no-…``. Absent flags stay absent.

    aliases: further flags for one option.
    """
    for o in options:
        flag = "--" + o.name.replace("_", "-")
        text = o.help.replace("%", "%%")
        shown_default = f" (default: {o.default})".replace("%", "%%") if o.default != "" else ""
        if isinstance(o.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
            continue
        shown = "{" + ",".join(o.choices) + "}" if o.choices else _metavar(o)
        if len(shown) > MAX_SHOWN:
            # argparse never breaks this line
            shown, text = o.name.upper(), f"one of {', '.join(o.choices)}. {text}"
        parser.add_argument(
            flag, *aliases, dest=o.name, metavar=shown, default=argparse.SUPPRESS, help=f"{text}{shown_default}"
        )


def _metavar(o: Option) -> str:
    if o.is_color:
        return "COLOR"
    return "TEXT" if isinstance(o.default, str) else "N"


def _as_text(name: str, raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, (Mapping, list, tuple)):
        raise InputError(f"{name} is {raw!r}; it must be a text")
    return str(raw)


def _as_number(name: str, raw: object) -> float:
    """The number, exact if it is whole; not NaN."""
    text = str(raw).strip()
    if not isinstance(raw, bool):
        with suppress(ValueError, OverflowError):
            # not by way of float, which is exact up to 2**53 only
            whole = int(text)
            return whole if abs(whole) < 10**300 else float(whole)
        with suppress(ValueError):
            if (number := float(text)) == number:
                return number
    raise InputError(f"{name} is {raw!r}; it must be a number")


def _as_bool(name: str, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise InputError(f"{name} is {raw!r}; it must be true or false")


def check_templates(templates: Sequence[str]) -> None:
    """Raises InputError without templates, and for one that does not hold ``{}`` exactly once."""
    if not templates:
        raise InputError("there are no templates; give at least {}")
    for template in templates:
        if template.count(SLOT) != 1:
            raise InputError(f"the template {template!r} must hold {SLOT} once, where the label goes")
