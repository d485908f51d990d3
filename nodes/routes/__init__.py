"""The HTTP routes of the pack, added to ComfyUI's server when the pack is loaded."""

from __future__ import annotations

from ..host.host import Host


def add_routes(host: Host) -> None:
    """Add the routes to the host's server, if it has one."""
    table = host.routes()
    if table is None:
        return
    from .handler import PLAN, answer_plan
    from .search import route_handlers

    known = {getattr(route, "path", "") for route in table}
    for (method, path), handler in {("POST", PLAN): answer_plan, **route_handlers()}.items():
        # a second copy of the pack in custom_nodes would keep the server from starting
        if path not in known:
            (table.get if method == "GET" else table.post)(path)(handler)
