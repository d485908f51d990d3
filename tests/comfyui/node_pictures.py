"""The documentation's pictures of nodes and of the viewer, taken in a real ComfyUI.

    python -m tests.comfyui.node_pictures 8188

in the folder of the checkout takes all of them anew. ComfyUI runs at that port of this machine with this pack and
without other models, and has the pictures of ``clip-grid demo --use-clip`` in ``input/demo``. It needs playwright and
Chromium.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from ..real_browser import FLAGS
from .client import post_json
from .front_end import FrontEnd
from .server import Server

ROOT = Path(__file__).resolve().parents[2]
DOCS, HELP = ROOT / "docs" / "images", ROOT / "web" / "docs" / "images"
SETTINGS = {"Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False, "Comfy.Graph.CanvasMenu": False}
MATCH, RANK, SHEET = "ClipGrid_CLIPMatchScore", "ClipGrid_RankImages", "ClipGrid_LabeledGridExporter"
VALUES = {
    "directories": "demo/shapes", "use_clip": True, "vocabulary": "cross, star, circle, square, triangle, diamond",
    "score_text": "a green star on a black background", "winner": "highest",
}  # fmt: skip
#: README's three nodes, linked; answers their ids.
BUILD = """(values) => {
    const add = (type, pos) => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        node.pos = pos;
        return node;
    };
    const set = (node, name, value) => {
        const widget = node.widgets.find((one) => one.name === name);
        widget.value = value;
        widget.callback?.(value);
    };
    const link = (from, to, name) => from.connect(0, to, to.inputs.findIndex((one) => one.name === name));
    const model = add("ClipGrid_CLIPModelLoader", [100, 160]);
    const template = add("ClipGrid_GridTemplate", [240, 590]);
    const exporter = add("ClipGrid_BatchLabeledGridExporter", [500, 160]);
    set(model, "model", "shapes-demo");
    for (const [name, value] of Object.entries(values)) set(exporter, name, value);
    link(model, exporter, "clip_model");
    link(template, exporter, "template");
    template.collapse();
    return [model, template, exporter].map((node) => String(node.id));
}"""
#: The box around nodes on the page: x, y, width, height.
AROUND = """(ids) => {
    const { ds, canvas } = app.canvas, page = canvas.getBoundingClientRect();
    const boxes = ids.map((id) => {
        const { pos, size, flags } = nodes().find((node) => String(node.id) === id);
        const [width, height] = flags.collapsed ? [150, 0] : size;
        return [pos[0], pos[1] - 30, pos[0] + width, pos[1] + height];
    });
    const edge = (place, pick) => pick(...boxes.map((box) => box[place]));
    const [x, y] = [edge(0, Math.min), edge(1, Math.min)];
    const [width, height] = [edge(2, Math.max) - x, edge(3, Math.max) - y];
    const left = (x + ds.offset[0]) * ds.scale + page.left, top = (y + ds.offset[1]) * ds.scale + page.top;
    return { x: left - 10, y: top - 10, width: width * ds.scale + 20, height: height * ds.scale + 20 };
}"""
QUIET = """() => {
    for (const node of nodes()) node.badges = [];
    app.canvas.deselectAll?.();
    app.canvas.setDirty(true, true);
}"""


class Camera:
    """Takes parts of a page as JPEG files."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end

    def nodes(self, path: Path, ids: Sequence[str], width: int) -> None:
        """The nodes of these ids, reduced to that many pixels of width where they have more."""
        self.front_end.page.evaluate(QUIET)
        self.front_end.pause(1000)
        self.part(path, self.front_end.page.evaluate(AROUND, list(ids)), width)

    def part(self, path: Path, box: dict[str, float] | None, width: int) -> None:
        """A box of the page, or all of it."""
        taken = self.front_end.page.screenshot(**({"clip": box} if box else {}))
        with Image.open(io.BytesIO(taken)) as picture:
            shown = picture.convert("RGB")
        shown.thumbnail((width, shown.height), Image.Resampling.LANCZOS)
        shown.save(path, quality=85, optimize=True)


def take_quick_start(front_end: FrontEnd) -> None:
    """README's quick start after a run."""
    front_end.new()
    ids = front_end.page.evaluate(BUILD, VALUES)
    front_end.run()
    front_end.pause(4000)
    front_end.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; }")
    Camera(front_end).nodes(DOCS / "quick_start.jpg", ids, 1000)


def take_best_of_n(front_end: FrontEnd) -> None:
    """The example workflow best_of_n after a run: scores, ranks, sheet and viewer."""
    camera, page = Camera(front_end), front_end.page
    workflow = json.loads((ROOT / "example_workflows" / "best_of_n.json").read_text("utf-8"))
    page.evaluate("(workflow) => app.loadGraphData(workflow)", workflow)
    front_end.pause(2500)
    front_end.run()
    front_end.pause(4000)
    match, rank, sheet = (front_end.first_of(kind) for kind in (MATCH, RANK, SHEET))
    front_end.show_top(match)
    camera.nodes(DOCS / "scores.jpg", [match, rank], 1000)
    camera.nodes(HELP / "match_scores.jpg", [match], 420)
    front_end.show_top(rank)
    camera.nodes(HELP / "ranks.jpg", [rank], 360)
    front_end.show_top(sheet)
    camera.nodes(HELP / "sheet.jpg", [sheet], 440)
    page.set_viewport_size({"width": 1200, "height": 750})
    front_end.show_end(sheet)
    page.get_by_role("button", name="Open viewer").first.click()
    front_end.pause(4000)
    camera.part(DOCS / "viewer.jpg", None, 1200)


def main() -> None:
    """Take all pictures from the ComfyUI whose port is given."""
    server = Server(comfyui=Path(), python=Path(), base=Path(), log=Path(), port=int(sys.argv[1]))
    post_json(f"{server.address}/settings", SETTINGS)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS, timeout=120_000)
        page = browser.new_page(viewport={"width": 1700, "height": 1500})
        front_end = FrontEnd(page=page, comfy=server, artefacts=Path(folder))
        front_end.open()
        take_quick_start(front_end)
        take_best_of_n(front_end)
        browser.close()


if __name__ == "__main__":
    main()
