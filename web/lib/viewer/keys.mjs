// @ts-check
/** The keys of the viewer, and their help; the keys of one view are handled by that view. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { originalOf } from "./sheets.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Cell} Cell */

/** @type {Record<string, (viewer: Viewer) => unknown>} */
const IN_EVERY_VIEW = {
  s: (viewer) => viewer.setMode("sheet"),
  w: (viewer) => viewer.setMode("cells"),
  c: (viewer) => viewer.setMode("compare"),
  PageUp: (viewer) => viewer.turnPage(-1),
  PageDown: (viewer) => viewer.turnPage(1),
  D: (viewer) => viewer.savePage(),
  j: (viewer) => viewer.saveData(),
  i: (viewer) => viewer.togglePanel(),
  "?": (viewer) => viewer.toggleHelp(),
};

/** @type {Record<string, (viewer: Viewer, cell: Cell) => unknown>} */
const FOR_CELL = {
  Enter: (viewer, cell) => viewer.pin(cell),
  x: (viewer, cell) => viewer.select(cell),
  e: (viewer, cell) => viewer.edit(cell),
  d: (viewer, cell) => viewer.saveCell(cell),
  o(viewer, cell) {
    const original = originalOf(cell);
    if (original) void viewer.openWorkflow(original);
    else viewer.showStatus(text("viewer.no_original"));
  },
};

/**
 * Do what a key stands for.
 * @param {KeyboardEvent} event
 * @param {Viewer} viewer
 * @returns {boolean} false for a key that stands for nothing
 */
export function handleKey(event, viewer) {
  if (event.ctrlKey || event.metaKey || event.altKey || isForElement(event)) return false;
  if (viewer.view.key(event)) return true;
  const { cell } = viewer.state;
  if (event.key in IN_EVERY_VIEW) IN_EVERY_VIEW[event.key](viewer);
  else if (cell && event.key in FOR_CELL) FOR_CELL[event.key](viewer, cell);
  else return false;
  return true;
}

/**
 * Whether the key is for the element that has the focus, such as a text field.
 * @param {KeyboardEvent} event
 */
function isForElement({ target, key }) {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLButtonElement) return key === "Enter" || key === " ";
  if (!(target instanceof HTMLInputElement)) return false;
  return (
    target.type !== "range" ||
    (target.closest(".clip-grid-cells-toolbar") !== null && /^(Arrow|Home|End|Page)/.test(key))
  );
}

/**
 * The list of all keys.
 * @param {() => void} close
 */
export function helpElement(close) {
  const button = make("button", { text: text("viewer.close"), title: "Esc", on: { click: close } });
  const sections = make(
    "div",
    {},
    section(text("help.everywhere"), [
      ["s · w · c", text("help.views")],
      [text("key.pages"), text("help.pages")],
      [text("key.arrows"), text("help.cells")],
      [text("key.enter"), text("help.pin")],
      ["x", text("help.select")],
      ["e", text("help.edit")],
      ["d · Shift+D · j", text("help.save")],
      ["o", text("help.open_graph")],
      ["i", text("help.panel")],
      ["? · Esc", text("help.help")],
    ]),
    section(text("mode.sheet"), [
      [text("key.zoom"), text("help.zoom")],
      ["0 · 1", text("help.fit")],
      [text("key.move"), text("help.move")],
    ]),
    section(text("mode.cells"), [
      ["/", text("help.filter")],
      ["r", text("help.direction")],
      ["+ −", text("help.size")],
      [text("key.home_end"), text("help.first_last")],
    ]),
    section(text("mode.compare"), [
      [`← → · ${text("key.home_end")}`, text("help.slider")],
      ["↑ ↓", text("help.other")],
      ["f", text("help.swap")],
    ]),
  );
  return make(
    "div",
    { cls: "clip-grid-help", attrs: { role: "dialog", "aria-label": text("help.title") } },
    sections,
    button,
  );
}

/**
 * @param {string} title
 * @param {[keys: string, effect: string][]} rows
 */
function section(title, rows) {
  const table = make(
    "table",
    {},
    ...rows.map(([keys, effect]) =>
      make("tr", {}, make("th", { text: keys, attrs: { scope: "row" } }), make("td", { text: effect })),
    ),
  );
  return make("section", {}, make("h3", { text: title }), table);
}
