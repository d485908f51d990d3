"""A page of the stub, and what a person or the server does with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..real_browser import Trouble
from .site import Site


@dataclass
class OpenPage:
    """Playwright's page, with the functions of the stub."""

    page: Any
    site: Site
    trouble: Trouble
    locale: str = "en"
    ids: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Load it, and wait until the extensions are set up."""
        self.page.goto(f"{self.site.address}/?locale={self.locale}")
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def add(self, type: str) -> str:
        """Add a node of that type; returns its id."""
        return self.page.evaluate("(type) => stub.add(type)", type)

    def node(self, place: int = 0) -> Any:
        """The element of the node."""
        return self.page.locator("#nodes > .node").nth(place)

    @property
    def viewer(self) -> Any:
        """The full-screen viewer."""
        return self.page.locator("dialog.clip-grid-viewer")

    def settle(self) -> None:
        """Wait two frames, so that changes are drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def finish(self, output: object, place: int = 0) -> None:
        """End the node's run with this ``ui``."""
        self.page.evaluate("([id, output]) => stub.finish(id, output)", [self.ids[place], output])

    def set(self, name: str, value: object, place: int = 0) -> None:
        """Give a widget a new value, as if it were typed."""
        script = """([id, name, value]) => {
            const node = app.rootGraph.getNodeById(id), widget = node.widgets.find((one) => one.name === name);
            widget.value = value;
            widget.callback?.(value, app.canvas, node);
        }"""
        self.page.evaluate(script, [self.ids[place], name, value])

    def setting(self, name: str, value: object) -> None:
        """Change one of the settings."""
        self.page.evaluate("([id, value]) => app.extensionManager.setting.set(id, value)", [name, value])

    def command(self, name: str) -> None:
        """Run one of the commands."""
        self.page.evaluate("(name) => app.extensionManager.command.execute(name)", f"ClipGrid.{name}")

    def reload(self) -> None:
        """Load the page again and open the workflow as it was saved."""
        workflow = self.page.evaluate("stub.workflow()")
        self.open()
        self.page.evaluate("(workflow) => app.loadGraphData(workflow)", workflow)

    def switch_tab(self) -> None:
        """Go to another workflow and back."""
        self.page.evaluate("stub.switchTab()")

    def notices(self) -> list[dict[str, Any]]:
        """The notices that were shown."""
        return self.page.evaluate("app.extensionManager.notices")
