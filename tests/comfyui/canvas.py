"""The nodes on ComfyUI's canvas: what is known of them, and what of them is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Canvas:
    """Of a page on which ``nodes()`` answers all nodes."""

    page: Any

    def ids(self) -> list[str]:
        """Of all nodes on the canvas."""
        return self.page.evaluate("nodes().map((node) => String(node.id))")

    def node(self, id: str) -> dict[str, Any]:
        """What is known of a node."""
        script = """(id) => {
            const node = nodes().find((one) => String(one.id) === id);
            const known = !!LiteGraph.registered_node_types[node.type];
            const properties = JSON.parse(JSON.stringify(node.properties));
            return { id, type: node.type, known, size: [...node.size], properties };
        }"""
        return self.page.evaluate(script, str(id))

    def first_of(self, type: str) -> str:
        """The id of a node of that type."""
        return self.page.evaluate("(type) => String(nodes().find((node) => node.type === type).id)", type)

    def add(self, type: str) -> str:
        """A node, put on the canvas by the page's own API; answers its id."""
        script = """(type) => {
            const node = LiteGraph.createNode(type);
            node.pos = [400, 200];
            app.graph.add(node);
            return String(node.id);
        }"""
        return self.page.evaluate(script, type)

    def select(self, id: str) -> None:
        """Click the node's title."""
        self.centre(id)
        script = """(id) => {
            const node = nodes().find((one) => String(one.id) === id), { ds, canvas } = app.canvas;
            const box = canvas.getBoundingClientRect();
            const at = (place) => (node.pos[place] + (place ? -14 : 60) + ds.offset[place]) * ds.scale;
            return [at(0) + box.left, at(1) + box.top];
        }"""
        self.page.mouse.click(*self.page.evaluate(script, str(id)))
        self.pause(600)

    def centre(self, id: str) -> None:
        """Bring a node to the middle of the window, all of it."""
        script = """(id) => {
            const canvas = app.canvas, box = canvas.canvas.getBoundingClientRect();
            const node = nodes().find((one) => String(one.id) === id);
            const scale = Math.min(1, (box.width - 500) / node.size[0], (box.height - 260) / node.size[1]);
            canvas.ds.scale = scale;
            canvas.ds.offset[0] = box.width / 2 / scale - node.pos[0] - node.size[0] / 2;
            canvas.ds.offset[1] = box.height / 2 / scale - node.pos[1] - node.size[1] / 2;
            canvas.setDirty(true, true);
        }"""
        self.page.evaluate(script, str(id))
        self.pause(500)

    def show_end(self, id: str) -> None:
        """The lower end of a node at its natural size, in front of other nodes: results are shown there."""
        script = """(id) => {
            const canvas = app.canvas, box = canvas.canvas.getBoundingClientRect();
            const node = nodes().find((one) => String(one.id) === id);
            canvas.bringToFront?.(node);
            canvas.ds.scale = 1;
            canvas.ds.offset[0] = box.width / 2 - node.pos[0] - node.size[0] / 2;
            canvas.ds.offset[1] = box.height - 140 - node.pos[1] - node.size[1];
            canvas.setDirty(true, true);
        }"""
        self.page.evaluate(script, str(id))
        self.pause(700)

    def fit(self) -> None:
        """The whole workflow in the window."""
        self.command("Comfy.Canvas.FitView")
        self.pause(1200)

    def command(self, name: str) -> None:
        """What a menu entry does."""
        self.page.evaluate("(name) => { app.extensionManager.command.execute(name); }", name)

    def pause(self, milliseconds: float) -> None:
        """Let the page go on."""
        self.page.wait_for_timeout(milliseconds)
