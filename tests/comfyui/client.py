"""Requests to ComfyUI's API, with the standard library."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

DIRECT = build_opener(ProxyHandler({}))


def get_json(url: str, timeout_s: float = 30) -> Any:
    """The JSON answer to a GET; raises ValueError for NaN and Infinity, which are no JSON and break browsers."""
    with DIRECT.open(url, timeout=timeout_s) as answer:
        return json.loads(answer.read(), parse_constant=refuse)


def post_json(url: str, content: object, timeout_s: float = 30) -> Any:
    """The JSON answer to a POST of JSON; None for an empty one."""
    request = Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with DIRECT.open(request, timeout=timeout_s) as answer:
        body = answer.read()
    return json.loads(body, parse_constant=refuse) if body else None


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def run_workflow(address: str, workflow: dict[str, Any], timeout_s: float = 180) -> dict[str, Any]:
    """The ui payloads of the nodes after a run; a run that fails is an AssertionError with the server's messages."""
    return finished_run(address, workflow, timeout_s)["outputs"]


def cached_nodes(run: dict[str, Any]) -> set[str]:
    """The nodes that a finished run did not run again."""
    return {node for kind, told in run["status"]["messages"] if kind == "execution_cached" for node in told["nodes"]}


def finished_run(address: str, workflow: dict[str, Any], timeout_s: float = 180) -> dict[str, Any]:
    """The entry of a run in the server's history; raises as ``run_workflow``."""
    prompt_id = post_json(f"{address}/prompt", {"prompt": workflow})["prompt_id"]
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        run = get_json(f"{address}/history/{prompt_id}").get(prompt_id)
        if run:
            assert run["status"]["status_str"] == "success", run["status"]["messages"]
            return run
        time.sleep(0.1)
    raise TimeoutError(f"the run has not ended after {timeout_s} s")


def read_workflow(path: Path) -> dict[str, Any]:
    """A workflow in API format."""
    return json.loads(path.read_text("utf-8"))
