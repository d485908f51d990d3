"""What a browser may ask about the layout of a sheet: read from JSON, and kept small enough to be answered at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..grid.labels import split_headers
from ..grid.template import GridTemplate
from ..options import check
from .host import Host
from .sockets import NO_TEMPLATE, chosen_template, label_texts

MAX_BODY = 64 * 1024
MAX_COUNT = 2000
MAX_SIDE = 16_384
#: Characters of each text that stands on every page, all of which are measured again for every page.
MAX_TEXT = 2000
_PAGE_TEXTS = ("title", "header", "footer", "label_format", "label_columns")


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A template, options over it, and how many pictures of which size are to be laid out."""

    #: A template's name, the options of a linked template, or None.
    template: str | Mapping[str, object] | None = None
    #: As the widgets hold them; one at its default counts as not given.
    options: Mapping[str, object] = field(default_factory=dict)
    count: int = 12
    width: int = 512
    height: int = 512
    #: The text of the labels input.
    labels: str = ""

    @classmethod
    def from_json(cls, body: bytes) -> PlanRequest:
        """Raises InputError for a body that is too long or no JSON object of the fields above."""
        if len(body) > MAX_BODY:
            raise InputError(f"the request has {len(body)} bytes; at most {MAX_BODY} are read")
        try:
            data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the request is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise InputError("the request is no JSON object")
        for name in data:
            if name not in cls.__dataclass_fields__:
                raise InputError(f"the request has the field {name!r}; known are {', '.join(cls.__dataclass_fields__)}")
        return cls(**data)

    def __post_init__(self) -> None:
        if not (self.template is None or isinstance(self.template, (str, Mapping))):
            raise InputError("template must be a name, an object of options, or null")
        if not isinstance(self.options, Mapping) or not isinstance(self.labels, str):
            raise InputError("options must be an object, and labels a text")
        self._check_values()
        for name, most in (("count", MAX_COUNT), ("width", MAX_SIDE), ("height", MAX_SIDE)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise InputError(f"{name} is {_short(value)}; it must be a whole number from 1 to {most}")

    def _check_values(self) -> None:
        """Raises InputError for an option that is no value of a widget: text, a number or a switch."""
        base = self.template if isinstance(self.template, Mapping) else {}
        for name, value in (*self.options.items(), *base.items()):
            if not isinstance(value, (str, int, float)):
                raise InputError(f"{name} is a {type(value).__name__}; it must be a text, a number, or true or false")

    @property
    def label_lines(self) -> list[str]:
        """One label for each picture or one for all, as the labels input is read."""
        return label_texts({"labels": [self.labels]})

    def chosen(self, host: Host) -> GridTemplate:
        """The template with the options over it; raises InputError for what cannot be used, or not be drawn at once."""
        given = {name: [value] for name, value in check(GridTemplate, self.options).items()}
        chosen = chosen_template({**given, "template": [self.template or NO_TEMPLATE]}, host)
        for name in _PAGE_TEXTS:
            if len(getattr(chosen, name)) > MAX_TEXT:
                raise InputError(f"{name} is longer than {MAX_TEXT} characters, too long for a preview")
        for name in ("row_headers", "column_headers"):
            if len(split_headers(getattr(chosen, name))) > MAX_COUNT:
                raise InputError(f"{name} has more than {MAX_COUNT} headers, too many for a preview")
        return chosen


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
