"""How soon the viewer shows a sheet of a thousand pictures, and how smoothly its cells scroll, in headless Chromium.

    python benchmarks/viewer.py [--cells 1000] [--rounds 5] [--chromium PATH]

On the stub page of the tests, with a sheet that is really made. Times are the page's own, from the click or key until
the second frame after it; frames while scrolling are those of the page too. Needs
``pip install 'clip-grid[dev,browser]'`` and Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.real_browser import Trouble, launched
from tests.web.open_page import OpenPage
from tests.web.outputs import sheet
from tests.web.site import Site, served

SHEET = "ClipGrid_LabeledGridExporter"
#: Milliseconds until the frame after the next one.
TIMED = """async (act) => {
    const start = performance.now();
    if (act === "open") document.querySelector(".clip-grid-node button").click();
    else document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: act, bubbles: true }));
    const awaited = act === "open" ? ".clip-grid-viewer" : ".clip-grid-tile";
    while (!document.querySelector(awaited)) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - start;
}"""
#: Milliseconds of every frame while the cells are scrolled from end to end in two seconds.
SCROLLED = """async () => {
    const parts = [...document.querySelectorAll(".clip-grid-cells, .clip-grid-cells *")];
    const list = parts.find((one) => one.scrollHeight > one.clientHeight + 100);
    const frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (const start = last; last - start < 2000; ) {
        list.scrollTop = (list.scrollHeight * (last - start)) / 2000;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    return frames;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        host = FakeHost(Path(folder))
        set_host(host)
        output = sheet([f"picture {place}" for place in range(given.cells)], side=96)
        with served(host) as site, launched(given.chromium) as browser:
            rounds = [one_round(browser, site, output) for _ in range(given.rounds)]
    opened, cells, frames = zip(*rounds, strict=True)
    every = [frame for one in frames for frame in one]
    print(f"{given.cells} cells, median of {given.rounds}:")
    print(f"  the sheet after the click: {median(opened):.0f} ms")
    print(f"  all cells after the key: {median(cells):.0f} ms, slowest {max(cells):.0f} ms")
    print(
        f"  frames while scrolling: median {median(every):.1f} ms, 19 of 20 within {quantiles(every, n=20)[-1]:.1f} ms"
    )


def one_round(browser: object, site: Site, output: object) -> tuple[float, float, list[float]]:
    """Milliseconds until the sheet and until all cells are there, and those of the frames while it scrolls."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    stub = OpenPage(context.new_page(), site, Trouble())
    stub.open()
    stub.ids = [stub.add(SHEET)]
    stub.finish(output)
    stub.settle()
    times = [stub.page.evaluate(TIMED, act) for act in ("open", "w")]
    frames = stub.page.evaluate(SCROLLED)
    context.close()
    return times[0], times[1], frames


if __name__ == "__main__":
    main()
