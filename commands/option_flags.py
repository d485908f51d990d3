"""What stands on the command line of the options of a dataclass."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..options import Option, add_flags, check, options_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def add_options(
    parser: argparse._ActionsContainer, cls: type[DataclassInstance], *, without: Collection[str] = ()
) -> None:
    """A flag per option of the dataclass; choices of two words get a hyphen, so that no shell needs quotes."""
    kept = [option for name, option in options_of(cls).items() if name not in without]
    add_flags(parser, [_hyphened(option) for option in kept])


def given_options(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """What of the options stands on the command line, under their own names and with their own choices."""
    given = {name: getattr(args, name) for name in options_of(cls) if hasattr(args, name)}
    return {name: _own_choice(options_of(cls)[name], value) for name, value in given.items()}


def checked_options(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """The same, inside their bounds; raises InputError naming the option that is not."""
    checked: dict[str, Any] = check(cls, given_options(args, cls))
    return checked


def _hyphened(option: Option) -> Option:
    if not option.choices:
        return option
    choices = tuple(choice.replace(" ", "-") for choice in option.choices)
    return replace(option, choices=choices, default=str(option.default).replace(" ", "-"))


def _own_choice(option: Option, value: object) -> object:
    """The choice that is written with a hyphen on the command line; anything else as it is, to be checked."""
    named = {choice.replace(" ", "-"): choice for choice in option.choices}
    return named.get(str(value), value)
