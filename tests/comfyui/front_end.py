"""ComfyUI's real page, and the actions of a user on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..real_browser import Trouble
from .canvas import Canvas
from .client import post_json
from .server import PACK, Server

#: Errors that count as ours, and requests for help pages in other languages, which front ends try first.
OURS = rf"/extensions/{PACK}/|/workflow_templates/{PACK}/|[Cc]lip_?[Gg]rid"
NOT_OURS = r"404.*/docs/[^/]+/[A-Za-z-]+\.md"
READY = """() => {
    const app = window.app ?? window.comfyAPI?.app?.app;
    if (!app?.graph || !app.canvas || app.isGraphReady === false) return false;
    return !!window.LiteGraph?.registered_node_types?.KSampler && app.extensionManager && !app.extensionManager.spinner;
}"""
STATE = "[app.extensions?.length, Object.keys(LiteGraph.registered_node_types).length, nodes().length].join()"
PRELUDE = """() => {
    window.app ??= window.comfyAPI?.app?.app;
    window.nodes = () => app.graph.nodes ?? app.graph._nodes;
}"""


@dataclass
class FrontEnd(Canvas):
    """A page of one server in Playwright."""

    comfy: Server
    artefacts: Path
    trouble: Trouble = field(default_factory=lambda: Trouble(ours=OURS, expected=[NOT_OURS]))

    def open(self, *, is_vue: bool = False) -> None:
        """Open the page and wait until it is set up, without the first-time tour; is_vue: with "Nodes 2.0"."""
        settings = {"Comfy.TutorialCompleted": True, "Comfy.VueNodes.Enabled": is_vue}
        post_json(f"{self.comfy.address}/settings", settings)
        self.trouble.watch(self.page)
        self.page.set_default_timeout(20_000)
        self.page.goto(self.comfy.address, wait_until="domcontentloaded")
        self.ready()

    @property
    def version(self) -> tuple[int, ...]:
        """The version of ComfyUI's front end."""
        return tuple(int(part) for part in self.page.evaluate("window.__COMFYUI_FRONTEND_VERSION__").split("."))

    def reload(self) -> None:
        """Reload the page, which restores the workflow."""
        self.page.reload(wait_until="domcontentloaded")
        self.ready()

    def ready(self) -> None:
        """Wait until all nodes and extensions are registered."""
        self.page.wait_for_function(READY, timeout=120_000, polling=200)
        self.page.evaluate(PRELUDE)
        last = None
        while (state := self.page.evaluate(STATE)) != last:
            last = state
            self.pause(700)
        self.dismiss()

    def dismiss(self) -> None:
        """Close the dialogs that the page opened by itself."""
        for _ in range(3):
            if not self.page.locator("[role=dialog]:visible").count():
                return
            self.page.keyboard.press("Escape")
            self.pause(500)

    def new(self) -> None:
        """A blank workflow at full size."""
        self.command("Comfy.NewBlankWorkflow")
        self.page.wait_for_function("nodes().length === 0")
        self.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; }")
        self.pause(400)

    def load(self, workflow: dict[str, Any]) -> None:
        """Load a workflow in API format, as if its file were dropped on the page."""
        self.page.evaluate("([workflow]) => app.loadApiJson(workflow, 'test')", [workflow])
        self.page.wait_for_function("(count) => nodes().length === count", arg=len(workflow))
        # side by side: nodes grow when they show results, and ComfyUI puts some below each other
        self.page.evaluate("nodes().forEach((node, place) => { node.pos = [500 * place, 100]; })")
        self.pause(800)

    def switch_tab(self) -> None:
        """Switch to a new workflow and back, as with the tabs at the top."""
        self.command("Comfy.NewBlankWorkflow")
        self.page.wait_for_function("nodes().length === 0")
        self.pause(800)
        self.command("Workspace.PreviousOpenedWorkflow")
        self.page.wait_for_function("nodes().length > 0")
        self.pause(800)

    def help_of(self, id: str) -> str:
        """The text of a node's help page, opened by the button over the node."""
        self.select(id)
        self.page.locator("[data-testid=info-button]").last.click()
        pages = self.page.locator(".node-help-content:visible, [class*=node-help]:visible, .markdown-content:visible")
        pages.first.wait_for()
        self.pause(1000)
        return max(pages.all_inner_texts(), key=len)

    def search(self, text: str) -> dict[str, Any]:
        """The node that a double click, the text and Enter add: its type and id, and all that was offered."""
        before = self.ids()
        box = self.page.locator("input[placeholder*='Search Nodes'], input[placeholder*='Add a node']").last
        for _ in range(4):
            # on a busy machine two clicks may come too far apart for a double click
            self.page.mouse.dblclick(900, 450)
            if seen(box, 3000):
                break
        self.page.keyboard.type(text, delay=30)
        options = self.page.locator("li.p-autocomplete-option, [data-testid=result-item]")
        options.first.wait_for(state="visible")
        self.pause(800)
        offered = [" ".join(one.split()) for one in options.all_inner_texts()]
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(f"nodes().length > {len(before)}")
        self.pause(300)
        # newer front ends hang the node on the pointer until a click
        if self.page.evaluate("app.canvas.state?.ghostNodeId != null || nodes().some((node) => node.flags?.ghost)"):
            self.page.mouse.click(910, 460)
        (added,) = [one for one in self.ids() if one not in before]
        return {"id": added, "type": self.node(added)["type"], "offered": offered}

    def choose_template(self, name: str) -> None:
        """Load one of our examples through the template browser."""
        self.command("Comfy.BrowseTemplates")
        dialog = self.page.locator("[role=dialog]").last
        dialog.wait_for(state="visible")
        self.pause(1500)
        self.click_middle(dialog.get_by_text(PACK, exact=True).first)
        self.pause(1500)
        self.shot("templates")
        self.click_middle(dialog.get_by_text(name, exact=True).last)
        dialog.wait_for(state="hidden")
        self.pause(1000)

    def click_middle(self, target: Any) -> None:
        """Click without waiting for animations."""
        target.wait_for(state="attached")
        target.scroll_into_view_if_needed()
        self.pause(300)
        box = target.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def queue(self) -> dict[str, Any]:
        """Click Run; returns the server's answer."""
        is_run = re.compile(r"/prompt$")
        with self.page.expect_response(lambda one: is_run.search(one.url) and one.request.method == "POST") as posted:
            button = self.page.locator("[data-testid=queue-button]").first
            (button if button.evaluate("(one) => one.tagName") == "BUTTON" else button.locator("button").first).click()
        return posted.value.json()

    def run(self, timeout_s: float = 180) -> dict[str, Any]:
        """Click Run and wait; returns the history of the run."""
        answer = self.queue()
        assert answer.get("prompt_id"), answer
        for _ in range(int(timeout_s * 4)):
            history = self.comfy.ask(f"/history/{answer['prompt_id']}").get(answer["prompt_id"])
            if history:
                break
            self.pause(250)
        assert history and history["status"]["status_str"] == "success", history
        self.pause(1000)
        return history

    def shot(self, name: str) -> None:
        """Save a screenshot with the artefacts."""
        self.page.screenshot(path=self.artefacts / f"{name}.png")


def seen(target: Any, timeout_ms: float) -> bool:
    """Whether the element becomes visible in that time."""
    from playwright.sync_api import TimeoutError as TooLong

    try:
        target.wait_for(state="visible", timeout=timeout_ms)
    except TooLong:
        return False
    return True
