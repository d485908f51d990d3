"""The nodes on ComfyUI's canvas: their state, and the part of the canvas that is visible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Canvas:
    """The canvas of a page on which ``nodes()`` returns all nodes."""

    page: Any

    def ids(self) -> list[str]:
        """The ids of all nodes on the canvas."""
        return self.page.evaluate("nodes().map((node) => String(node.id))")

    def node(self, id: str) -> dict[str, Any]:
        """The type, size and properties of a node, and whether the type is registered."""
        script = """(id) => {
            const node = nodes().find((one) => String(one.id) === id);
            const known = !!LiteGraph.registered_node_types[node.type];
            const properties = JSON.parse(JSON.stringify(node.properties));
            return { id, type: node.type, known, size: [...node.size], properties };
        }"""
        return self.page.evaluate(script, str(id))

    def first_of(self, type: str) -> str:
        """The id of the first node of that type."""
        return self.page.evaluate("(type) => String(nodes().find((node) => node.type === type).id)", type)

    def add(self, type: str) -> str:
        """Add a node through the page's own API; returns its id."""
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
        """Bring the whole node to the middle of the window."""
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
        """Bring the lower end of a node, where results are shown, into the window at full size."""
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

    def show_top(self, id: str) -> None:
        """Bring the upper end of a node below the bars of the page, at full size."""
        script = """(id) => {
            const canvas = app.canvas, box = canvas.canvas.getBoundingClientRect();
            const node = nodes().find((one) => String(one.id) === id);
            canvas.bringToFront?.(node);
            canvas.ds.scale = 1;
            canvas.ds.offset[0] = box.width / 2 - node.pos[0] - node.size[0] / 2;
            canvas.ds.offset[1] = 115 - box.top - node.pos[1];
            canvas.setDirty(true, true);
        }"""
        self.page.evaluate(script, str(id))
        self.pause(1000)

    def menu_image(self, id: str) -> str:
        """The address of the image that a node's menu opens, saves and copies."""
        script = "(id) => { const one = nodes().find((one) => String(one.id) === id); return one.imgs[0].src; }"
        return self.page.evaluate(script, str(id))

    def fit(self) -> None:
        """Bring the whole workflow into the window."""
        self.command("Comfy.Canvas.FitView")
        self.pause(1200)

    def command(self, name: str) -> None:
        """Run the command of a menu entry."""
        self.page.evaluate("(name) => { app.extensionManager.command.execute(name); }", name)

    def pause(self, milliseconds: float) -> None:
        """Wait while the page goes on."""
        self.page.wait_for_timeout(milliseconds)
