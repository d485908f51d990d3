"""Tokens in file name prefixes that ComfyUI's page replaces for its own save nodes only: dates and widget values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

_TOKEN = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyyy|yy")
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def fill_prefix(prefix: str, prompt: object, extra: object, now: datetime) -> str:
    """The prefix with ``%date:yyyy-MM-dd%`` and ``%Node.widget%`` replaced; other tokens are left to the server.

    A node is named by its type, its title, or its "Node name for S&R". Characters that are not allowed in file names
    become ``_``. prompt and extra: what ComfyUI passes as PROMPT and EXTRA_PNGINFO.
    """
    nodes = prompt if isinstance(prompt, Mapping) else {}
    search_names = _search_names(extra)

    def replacement(token: re.Match[str]) -> str:
        if token[1].startswith("date:"):
            return _FORBIDDEN.sub("_", _date(token[1].removeprefix("date:"), now))
        name, dot, widget = token[1].partition(".")
        value = _widget_value(nodes, search_names, name, widget) if dot else None
        return token[0] if value is None else _FORBIDDEN.sub("_", value)

    return _TOKEN.sub(replacement, prefix)


def _date(format: str, now: datetime) -> str:
    """The date in ComfyUI's letters: d, M, h, m, s once or twice, yy or yyyy."""
    numbers = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(match: re.Match[str]) -> str:
        letters = match[0]
        if letters[0] == "y":
            return f"{now.year:04}"[-len(letters) :]
        return str(numbers[letters[0]]).zfill(len(letters))

    return _DATE_PART.sub(part, format)


def _widget_value(nodes: Mapping[str, object], search_names: Mapping[str, str], name: str, widget: str) -> str | None:
    """The widget's value as text; None if there is no such node or widget, or if the widget is linked."""
    for node_id, node in nodes.items():
        if not isinstance(node, Mapping):
            continue
        names = (node.get("class_type"), (node.get("_meta") or {}).get("title"), search_names.get(str(node_id)))
        value = (node.get("inputs") or {}).get(widget)
        if name in names and value is not None and not isinstance(value, list):
            return str(value)
    return None


def _search_names(extra: object) -> dict[str, str]:
    """The "Node name for S&R" of each node by its id, from the workflow."""
    workflow = extra.get("workflow") if isinstance(extra, Mapping) else None
    nodes = workflow.get("nodes") if isinstance(workflow, Mapping) else None
    named = [node for node in nodes or [] if isinstance(node, Mapping) and isinstance(node.get("properties"), Mapping)]
    return {str(node.get("id")): str(node["properties"].get("Node name for S&R", "")) for node in named}
