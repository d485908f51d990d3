"""Tokens of file name prefixes that ComfyUI's page fills in for its own save nodes only: dates and values of nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

_TOKEN = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyyy|yy")
_NO_FILE_NAME = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def fill_prefix(prefix: str, prompt: object, extra: object, now: datetime) -> str:
    """The prefix with ``%date:yyyy-MM-dd%`` and ``%Node.widget%`` filled in; other tokens stay for the server.

    A node is meant by its type, its title, or its name for search and replace. prompt and extra: what ComfyUI gives for
    PROMPT and EXTRA_PNGINFO.
    """
    nodes = prompt if isinstance(prompt, Mapping) else {}
    aliases = _search_names(extra)

    def fill(token: re.Match[str]) -> str:
        if token[1].startswith("date:"):
            return _date(token[1][len("date:") :], now)
        name, dot, widget = token[1].partition(".")
        value = _widget_value(nodes, aliases, name, widget) if dot else None
        return token[0] if value is None else _NO_FILE_NAME.sub("_", value)

    return _TOKEN.sub(fill, prefix)


def _date(format: str, now: datetime) -> str:
    """ComfyUI's letters: d, M, h, m, s once or twice, yy or yyyy. Anything that no file name may hold becomes _."""
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(found: re.Match[str]) -> str:
        letters = found[0]
        year = f"{now.year:04}"
        return year[-len(letters) :] if letters[0] == "y" else str(parts[letters[0]]).zfill(len(letters))

    return _NO_FILE_NAME.sub("_", _DATE_PART.sub(part, format))


def _widget_value(nodes: Mapping[str, object], aliases: Mapping[str, str], name: str, widget: str) -> str | None:
    """The widget's value as text; None when there is no such node or widget, or when it is linked."""
    for number, node in nodes.items():
        if not isinstance(node, Mapping):
            continue
        names = (node.get("class_type"), (node.get("_meta") or {}).get("title"), aliases.get(str(number)))
        value = (node.get("inputs") or {}).get(widget)
        if name in names and value is not None and not isinstance(value, list):
            return str(value)
    return None


def _search_names(extra: object) -> dict[str, str]:
    """Names for search and replace by node number, from the workflow."""
    workflow = extra.get("workflow") if isinstance(extra, Mapping) else None
    nodes = workflow.get("nodes") if isinstance(workflow, Mapping) else None
    named = [node for node in nodes or [] if isinstance(node, Mapping) and isinstance(node.get("properties"), Mapping)]
    return {str(node.get("id")): str(node["properties"].get("Node name for S&R", "")) for node in named}
