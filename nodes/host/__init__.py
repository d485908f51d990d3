"""The current host: ComfyUI, unless a test sets another one."""

from __future__ import annotations

from .comfy import ComfyHost
from .host import Host

_host: Host = ComfyHost()


def get_host() -> Host:
    """The host that the nodes use."""
    return _host


def set_host(host: Host) -> Host:
    """Replace the host, as tests do; returns the previous one."""
    global _host
    previous, _host = _host, host
    return previous
