"""The HTTP routes of the pack, added to ComfyUI's server when the pack is loaded."""

from __future__ import annotations

import sys


def serve_routes() -> None:
    """Let ComfyUI's server answer the requests of our pages; without ComfyUI there is none, and nothing happens."""
    # loaded by then in ComfyUI, and not to be loaded anywhere else
    running = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if running is None:
        return
    from .routes import PLAN, answer_plan

    # a second copy of the pack in custom_nodes would keep the server from starting
    if all(getattr(route, "path", "") != PLAN for route in running.routes):
        running.routes.post(PLAN)(answer_plan)
