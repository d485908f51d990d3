"""Scores pictures in a running ComfyUI with CLIP Grid, and prints the results.

    python score_pictures.py cat.png dog.png --text "a cat on a sofa" --model clip-vit-base-patch32
    python score_pictures.py --workflow api/best_of_n.json --progress

Each picture is uploaded and set in every Load Image node of the workflow: api/score_workflow.json, or one saved with
"Export (API)". Without pictures the workflow runs as it is. Results are read from ``/history``, which holds the
``clip_match``, ``clip_labels`` and ``clip_rank`` of scoring nodes and the names of saved files. Exits with 0 if all
went well, 1 if something failed, 2 for a wrong command line. Needs Python's standard library alone; with the package
``websockets``, progress is shown node by node.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from comfy_progress import watching
from comfy_server import NoServer, Outputs, ScoringError, Server, Workflow

WORKFLOW = Path(__file__).parent / "api" / "score_workflow.json"
#: Shown in place of the picture if none is uploaded.
NO_PICTURE = "workflow"
#: The results of scoring nodes in the history.
SCORES = ("clip_match", "clip_labels", "clip_rank")


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


def results(outputs: Outputs) -> dict[str, list[Any]]:
    """The scores, labels and ranks of all nodes, and the saved files."""
    scores: dict[str, list[Any]] = {
        key: [one for shown in outputs.values() for one in shown.get(key, ())] for key in SCORES
    }
    scores["files"] = list(dict.fromkeys(_saved_files(outputs)))
    if not any(scores.values()):
        raise ScoringError("the run gave no scores and no files; add CLIP Match Score, CLIP Label or a saving node")
    return scores


def _saved_files(outputs: Outputs) -> Iterator[str]:
    """Files in ComfyUI's output folder, relative to it."""
    for shown in outputs.values():
        for entry in (one for entries in shown.values() if isinstance(entries, list) for one in entries):
            if isinstance(entry, dict) and entry.get("type") == "output" and entry.get("filename"):
                yield "/".join(filter(None, (entry.get("subfolder"), entry["filename"])))


def lines(picture: str, scores: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """The results of one run for people; programs use ``--json``."""
    for match in scores["clip_match"]:
        verdict = match["clip_match_status"].partition(" (score")[0]
        numbers = f"z {_number(match.get('z'))}, cosine {_number(match['clip_similarity_score'])}"
        yield f"{_which(picture, match.get('image'))}, {match['text']!r}: {verdict}, {numbers}"
    for label in scores["clip_labels"]:
        scale = label["scale"] or "no score"
        yield f"{_which(picture, label.get('path'))}: {label['label']}, {scale} {_number(label['score'])}"
    for place, one in enumerate(scores["clip_rank"], 1):
        kept = "kept" if one["is_kept"] else f"not kept, {one['reason']}"
        yield f"{_which(picture, one.get('path'))}: place {place}, {_number(one['score'])}, {kept}"
    for file in scores["files"]:
        yield f"saved: {file}"


def _which(picture: str, name: str | None) -> str:
    """The picture; without an upload, the name that the node gives it."""
    return name or picture if picture == NO_PICTURE else picture


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
    """Prints an error with one picture and goes on; NoServer ends the program."""
    try:
        yield
    except NoServer:
        raise
    except ScoringError as error:
        failed.append(name)
        print(f"{name}: {error}", file=sys.stderr)


def submitted(server: Server, workflow: Workflow, pictures: Sequence[Path], failed: list[str]) -> list[tuple[str, str]]:
    """(picture, id of its run) of those that were submitted to ComfyUI's queue."""
    if not pictures:
        return [(NO_PICTURE, server.submit(workflow))]
    runs = []
    for picture in pictures:
        with failures(failed, str(picture)):
            runs.append((str(picture), run_of(server, workflow, picture)))
    return runs


def scored(server: Server, workflow: Workflow, args: argparse.Namespace, failed: list[str]) -> Iterator[dict[str, Any]]:
    """The results of each run, one after the other."""
    with watching(server, _progress if args.progress else _nothing) as watcher:
        for name, run in submitted(server, workflow, args.pictures, failed):
            with failures(failed, name):
                yield {"picture": name, **results(server.outputs(run, workflow, args.timeout, watcher))}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if everything was scored."""
    args = _parser().parse_args(argv)
    printed: list[dict[str, Any]] = []
    failed: list[str] = []
    try:
        for one in scored(Server(args.server.rstrip("/")), prepared(args), args, failed):
            printed.append(one)
            if not args.json:
                print(*lines(one["picture"], one), sep="\n", flush=True)
    except ScoringError as error:
        failed.append("")
        print(f"score_pictures: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps(printed, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _nothing(line: str) -> None:
    pass


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
    parser.add_argument("--progress", action="store_true", help="show on stderr which node is running")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
