"""The HTTP routes of the pack, added to ComfyUI's server when the pack is loaded."""

from __future__ import annotations

from ..host.host import Host


def add_routes(host: Host) -> None:
    """Add the routes to the host's server, if it has one."""
    table = host.routes()
    if table is None:
        return
    from .handler import PLAN, answer_plan

    # a second copy of the pack in custom_nodes would keep the server from starting
    if all(getattr(route, "path", "") != PLAN for route in table):
        table.post(PLAN)(answer_plan)
