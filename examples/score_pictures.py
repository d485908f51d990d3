"""Lets a running ComfyUI score pictures, and prints what CLIP Grid says of them.

    python score_pictures.py cat.png dog.png --text "a cat on a sofa" --model clip-vit-base-patch32
    python score_pictures.py --workflow my_workflow.json

Each picture is uploaded and put into every Load Image node of the workflow: score_workflow.json beside this file, or
one that was saved with "Export (API)". Without pictures the workflow runs as it is. Results are read from ``/history``,
where a scoring node leaves ``clip_match`` or ``clip_labels``. Exits with 0 when all is done, 1 when something failed,
and 2 for a wrong command line. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

#: Node id -> {"class_type", "inputs"}: ComfyUI's API format.
Workflow = dict[str, Any]
#: Node id -> what the node showed.
Outputs = Mapping[str, Mapping[str, Any]]

WORKFLOW = Path(__file__).with_name("score_workflow.json")
#: Seconds between two looks into the history.
PAUSE_S = 0.5
#: Seconds that a single request may take.
REQUEST_S = 30.0


class ScoringError(Exception):
    """Why there are no scores; the message is meant for the user."""


class NoServer(ScoringError):
    """Nothing that answers as ComfyUI does."""


@dataclass(frozen=True)
class Server:
    """A running ComfyUI."""

    address: str

    def upload(self, picture: Path) -> str:
        """The name under which Load Image finds the picture."""
        try:
            content = picture.read_bytes()
        except OSError as error:
            raise ScoringError(f"it cannot be read: {error.strerror or error}") from error
        boundary = uuid.uuid4().hex
        kind = f"multipart/form-data; boundary={boundary}"
        told = self._ask("/upload/image", _form_file(picture.name, content, boundary), kind, wants="name")
        folder = told.get("subfolder")
        return f"{folder}/{told['name']}" if folder else str(told["name"])

    def submit(self, workflow: Workflow) -> str:
        """The id of the run, which begins when those before it are done."""
        told = self._ask("/prompt", json.dumps({"prompt": workflow}).encode(), "application/json", wants="prompt_id")
        if told.get("node_errors"):
            raise ScoringError("; ".join(_refusals(told)))
        return str(told["prompt_id"])

    def outputs(self, run: str, timeout_s: float) -> Outputs:
        """What the nodes of a run showed, once it is done."""
        ends = time.monotonic() + timeout_s
        while run not in (history := self._ask(f"/history/{quote(run)}")):
            if time.monotonic() >= ends:
                raise ScoringError(f"the run is not done after {timeout_s:g} s; give it longer with --timeout")
            time.sleep(PAUSE_S)
        _check_events((history[run].get("status") or {}).get("messages", ()))
        outputs: Outputs = history[run]["outputs"]
        return outputs

    def _ask(self, path: str, body: bytes | None = None, kind: str = "", *, wants: str = "") -> dict[str, Any]:
        """The JSON that the server answers, which must hold what it ``wants``; a body is posted."""
        try:
            request = Request(self.address + path, body, {"Content-Type": kind} if kind else {})
            with urlopen(request, timeout=REQUEST_S) as answer:
                told = json.load(answer)
        except HTTPError as error:
            raise ScoringError(_refusal(path, error)) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoServer(f"no ComfyUI answers at {self.address} ({reason}); start it, or give --server") from error
        except ValueError:
            told = None
        if not isinstance(told, dict) or (wants and wants not in told):
            raise NoServer(f"{self.address}{path} does not answer as ComfyUI does; check --server")
        return told


def _check_events(events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for event, told in events:
        if event == "execution_error":
            raise ScoringError(f"{_node(told['node_id'], told['node_type'])}: {told['exception_message'].strip()}")
        if event == "execution_interrupted":
            raise ScoringError("the run was interrupted")


def _form_file(name: str, content: bytes, boundary: str) -> bytes:
    """The body of a form whose field ``image`` is a file."""
    safe = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{safe}"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    return (head + kind).encode("utf-8", "replace") + content + f"\r\n--{boundary}--\r\n".encode()


def _refusal(path: str, error: HTTPError) -> str:
    """Why the server would not do it."""
    try:
        with error:
            told = json.load(error)
    except (OSError, ValueError):
        told = {}
    reasons = list(_refusals(told)) if isinstance(told, dict) else []
    return "; ".join(reasons) or f"ComfyUI refuses {path}: {error.code} {error.reason}"


def _refusals(told: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a workflow: each node's errors, or what is said of the whole."""
    found = False
    for number, node in (told.get("node_errors") or {}).items():
        for one in node["errors"]:
            found = True
            yield f"{_node(number, node.get('class_type'))}: {_message(one)}"
    if not found and isinstance(error := told.get("error"), dict):
        yield _message(error)


def _message(error: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (error.get("message"), error.get("details"))))


def _node(number: object, kind: object) -> str:
    return f"node {number} ({kind})"


def read_workflow(path: Path) -> Workflow:
    """A workflow in API format."""
    try:
        workflow = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ScoringError(f"{path} is no workflow: {error}") from error
    nodes = workflow.values() if isinstance(workflow, dict) else ()
    if not nodes or not all(isinstance(node, dict) and "class_type" in node for node in nodes):
        raise ScoringError(f'{path} is not in API format; save it in ComfyUI with "Export (API)"')
    return dict(workflow)


def with_input(workflow: Workflow, kinds: Sequence[str], name: str, value: str) -> Workflow:
    """A copy with this value as the input of every node of these kinds."""
    changed = deepcopy(workflow)
    nodes = [node for node in changed.values() if node["class_type"] in kinds]
    if not nodes:
        raise ScoringError(f"the workflow has no {' or '.join(kinds)}, whose {name} is to be {value!r}")
    for node in nodes:
        node["inputs"][name] = value
    return changed


def results(outputs: Outputs) -> dict[str, list[dict[str, Any]]]:
    """The scores and the labels of all nodes that gave any."""
    found = {
        key: [one for shown in outputs.values() for one in shown.get(key, ())] for key in ("clip_match", "clip_labels")
    }
    if not any(found.values()):
        raise ScoringError("the run gave no scores; add CLIP Match Score or CLIP Label to the workflow")
    return found


def lines(picture: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """The scores and labels of one run for people; a program takes ``--json``."""
    for match in found["clip_match"]:
        verdict = match["clip_match_status"].partition(" (score")[0]
        yield f"{picture}, {match['text']!r}: {verdict}, cosine {_number(match['clip_similarity_score'])}"
    for label in found["clip_labels"]:
        scale = label["scale"] or "no score"
        yield f"{picture}: {label['label']}, {scale} {_number(label['score'])}"


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def run_of(server: Server, workflow: Workflow, picture: Path) -> str:
    """The id of the run that scores one picture."""
    return server.submit(with_input(workflow, ["LoadImage"], "image", server.upload(picture)))


def prepared(args: argparse.Namespace) -> Workflow:
    """The workflow with the text and the model of the command line."""
    workflow = read_workflow(args.workflow)
    if args.text:
        workflow = with_input(workflow, ["ClipGrid_CLIPMatchScore"], "text", args.text)
    if args.model:
        workflow = with_input(workflow, ["ClipGrid_CLIPModelLoader"], "model", args.model)
    return workflow


@contextmanager
def failures(failed: list[str], name: str) -> Iterator[None]:
    """Tells what goes wrong with one picture, which costs the others nothing."""
    try:
        yield
    except NoServer:
        raise
    except ScoringError as error:
        failed.append(name)
        print(f"{name}: {error}", file=sys.stderr)


def submitted(server: Server, workflow: Workflow, pictures: Sequence[Path], failed: list[str]) -> list[tuple[str, str]]:
    """(picture, id of its run) of those that could be submitted; they all wait in ComfyUI's queue."""
    if not pictures:
        return [("workflow", server.submit(workflow))]
    runs = []
    for picture in pictures:
        with failures(failed, str(picture)):
            runs.append((str(picture), run_of(server, workflow, picture)))
    return runs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if everything was scored."""
    args = _parser().parse_args(argv)
    scored: list[dict[str, Any]] = []
    failed: list[str] = []
    try:
        server = Server(args.server.rstrip("/"))
        for name, run in submitted(server, prepared(args), args.pictures, failed):
            with failures(failed, name):
                found = results(server.outputs(run, args.timeout))
                scored.append({"picture": name, **found})
                if not args.json:
                    print(*lines(name, found), sep="\n", flush=True)
    except ScoringError as error:
        failed.append("")
        print(f"score_pictures: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps(scored, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    parser.add_argument("--server", default="http://127.0.0.1:8188", help="address of ComfyUI (default: %(default)s)")
    parser.add_argument("--workflow", type=Path, default=WORKFLOW, help="workflow in API format")
    parser.add_argument("--text", default="", help="what the pictures should show, instead of the workflow's text")
    parser.add_argument(
        "--model", default="", help="the model, instead of the workflow's; clip-grid models lists yours"
    )
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds for each run (default: 600)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
