// @ts-check
/** The bar at the top of the viewer. */
import { make } from "../dom.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./state.mjs").Mode} Mode */

/** @type {[Mode, string, string][]} */
const MODES = [
  ["sheet", "Sheet", "s"],
  ["cells", "Cells", "w"],
  ["compare", "Compare", "c"],
];

export class Bar {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.title = make("strong", { cls: "clip-grid-title" });
    this.modes = MODES.map(([mode, text, key]) => button(text, key, () => viewer.go(mode)));
    this.page = make("span", { cls: "clip-grid-quiet" });
    this.pages = make("span", { cls: "clip-grid-group" },
      button("‹", "PageUp", () => viewer.turn(-1), "Page before"), this.page, button("›", "PageDown", () => viewer.turn(1), "Next page"));
    this.scale = make("output", { cls: "clip-grid-quiet" });
    this.zoom = make("span", { cls: "clip-grid-group" },
      button("−", "-", () => viewer.sheet.zoom(0.8), "Zoom out"), this.scale, button("+", "+", () => viewer.sheet.zoom(1.25), "Zoom in"),
      button("Fit", "0", () => viewer.sheet.fit(), "Whole page"), button("100 %", "1", () => viewer.sheet.fullSize(), "Every pixel"));
    this.saves = make("span", { cls: "clip-grid-group" },
      button("Save page", "Shift+D", () => viewer.saves.page()), button("Data", "j", () => viewer.saves.data(), "Save the page's data as JSON"));
    this.element = make("header", { cls: "clip-grid-bar" }, this.title,
      make("span", { cls: "clip-grid-group", attrs: { role: "group", "aria-label": "View" } }, ...this.modes), this.pages, this.zoom,
      make("span", { cls: "clip-grid-space" }), this.saves, button("?", "?", () => viewer.help(), "Keys"), button("✕", "Esc", () => viewer.close(), "Close"));
  }

  /** Shows what the state says. */
  update() {
    const { state } = this.viewer;
    this.title.textContent = state.sheet.name;
    this.title.title = state.sheet.name;
    MODES.forEach(([mode], i) => this.modes[i].setAttribute("aria-pressed", String(mode === state.mode)));
    this.pages.hidden = state.places.length < 2;
    this.page.textContent = `${state.place + 1} / ${state.places.length}`;
    this.zoom.hidden = state.mode !== "sheet";
  }

  /** @param {number} scale */
  showZoom(scale) {
    this.scale.textContent = `${Math.round(scale * 100)} %`;
  }
}

/**
 * @param {string} text
 * @param {string} key
 * @param {() => void} click
 * @param {string} [title]
 */
function button(text, key, click, title = text) {
  return make("button", { text, title: `${title} (${key})`, attrs: { "aria-label": title }, on: { click } });
}
