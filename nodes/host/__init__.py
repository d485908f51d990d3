"""ComfyUI as the nodes see it: one host at a time, ComfyUI's own unless a test sets another."""

from __future__ import annotations

from .comfy import ComfyHost
from .host import Host

_host: Host = ComfyHost()


def get_host() -> Host:
    """The host that the nodes talk to."""
    return _host


def set_host(host: Host) -> Host:
    """Let the nodes talk to another host, as the tests do; answers the one before."""
    global _host
    before, _host = _host, host
    return before
