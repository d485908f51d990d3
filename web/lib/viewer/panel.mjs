// @ts-check
/** The panel beside the views: what is known of the cell under the pointer, else of the sheet. */
import { make } from "../dom.mjs";
import { decimals } from "../scores/numbers.mjs";
import { text } from "../texts.mjs";
import { pictureElement } from "./page_image.mjs";
import { originalOf } from "./sheets.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {[name: string, value: string | HTMLElement]} Fact */

/** Notes of a sheet that are shown; the report has all of them. */
const MAX_NOTES = 30;

/** Where a label comes from. */
const SOURCES = /** @type {const} */ ({
  text: "source.text",
  columns: "source.columns",
  csv: "source.csv",
  clip: "source.clip",
  metadata: "source.metadata",
  filename: "source.filename",
});

/**
 * The content of the panel.
 * @param {Viewer} viewer
 * @returns {HTMLElement[]}
 */
export function panelContent(viewer) {
  const { cell, sheet } = viewer.state;
  return (cell ? cellContent(viewer, cell, sheet) : sheetContent(sheet)).filter(
    (element) => element !== null && element !== false,
  );
}

/**
 * A score with the digits of the settings.
 * @param {unknown} score null for a picture that has none
 * @returns {string}
 */
export function scoreText(score) {
  return typeof score === "number" ? score.toFixed(decimals()) : text("cell.no_score");
}

/** @param {string} source */
function sourceName(source) {
  return source in SOURCES ? text(SOURCES[/** @type {keyof typeof SOURCES} */ (source)]) : source;
}

/**
 * @param {Viewer} viewer
 * @param {Cell} cell
 * @param {Sheet} sheet
 */
function cellContent(viewer, cell, sheet) {
  const { state, edits } = viewer;
  const place = { row: cell.row + 1, column: cell.column + 1, page: cell.page + 1 };
  const isSelected = state.selected.includes(cell);
  const original = originalOf(cell);
  return [
    make("div", { cls: "clip-grid-panel-picture" }, pictureElement(cell, sheet.pages[cell.page])),
    make("h3", { cls: "clip-grid-panel-label" }, cell.label ? copied(viewer, cell.label) : text("cell.no_label")),
    cell.edited && make("p", { cls: "clip-grid-note", text: text("cell.edited") }),
    cell.edited &&
      edits &&
      make(
        "div",
        { cls: "clip-grid-actions" },
        button(text("cell.queue"), text("cell.queue_hint"), () => void viewer.queue()),
      ),
    factTable([
      [text("fact.source"), sourceName(cell.source)],
      [text("fact.runner_up"), cell.runnerUp],
      [text("fact.file"), cell.file && copied(viewer, cell.file, cell.path)],
      [text("fact.place"), sheet.pages.length > 1 ? text("cell.place_on_page", place) : text("cell.place", place)],
    ]),
    ...section(
      text("fact.scores"),
      Object.entries(cell.scores).map(([name, score]) => [name, scoreText(score)]),
    ),
    ...section(
      text("fact.values"),
      Object.entries(cell.values).map(([name, value]) => [name, copied(viewer, String(value))]),
    ),
    make(
      "div",
      { cls: "clip-grid-actions" },
      button(state.pinned ? text("cell.unpin") : text("cell.pin"), "Enter", () => viewer.pin(cell)),
      edits && button(text("cell.edit"), "e", () => viewer.edit(cell)),
      button(isSelected ? text("cell.unselect") : text("cell.select"), "x", () => viewer.select(cell)),
      button(text("mode.compare"), "c", () => viewer.setMode("compare")),
      button(text("save.picture"), "d", () => viewer.saveCell(cell)),
      original && button(text("search.open_graph"), "o", () => void viewer.openWorkflow(original)),
    ),
  ];
}

/**
 * A text that a click copies.
 * @param {Viewer} viewer
 * @param {string} value
 * @param {string} [more] what else is known of it
 */
function copied(viewer, value, more) {
  const title = [more, text("cell.copy")].filter(Boolean).join("\n");
  return make("button", { cls: "clip-grid-copy", text: value, title, on: { click: () => void viewer.copy(value) } });
}

/** @param {Sheet} sheet */
function sheetContent(sheet) {
  const more = sheet.notes.length - MAX_NOTES;
  return [
    make("h3", { cls: "clip-grid-panel-label", text: sheet.name }),
    factTable(sheetFacts(sheet)),
    ...sheet.notes.slice(0, MAX_NOTES).map((note) => make("p", { cls: "clip-grid-note", text: note })),
    more > 0 && make("p", { cls: "clip-grid-note", text: text("sheet.more_notes", { count: more }) }),
    sheet.cells.length > 0 && make("p", { cls: "clip-grid-quiet", text: text("sheet.hint") }),
  ];
}

/**
 * @param {Sheet} sheet
 * @returns {Fact[]}
 */
function sheetFacts({ pages, cells, report, name }) {
  if (!report) return [[text("fact.file"), name]];
  const sources = Object.entries(report.label_sources ?? {}).map(
    ([source, count]) => `${sourceName(source)}: ${count}`,
  );
  const constants = Object.entries(report.axes?.constant ?? {}).map(
    ([axis, value]) => /** @type {Fact} */ ([axis, String(value)]),
  );
  return [
    [text("fact.pictures"), text("cells.some", { shown: cells.length, all: report.images_found ?? cells.length })],
    [text("fact.grid"), String(report.grid_dimensions ?? "").replace("x", " × ")],
    [text("fact.pages"), String(pages.length)],
    [text("fact.size"), pages[0] ? `${pages[0].width} × ${pages[0].height}` : ""],
    [text("fact.format"), String(report.export_format ?? "")],
    [text("fact.labels"), sources.join(", ")],
    ...constants,
  ];
}

/**
 * @param {string} title
 * @param {Fact[]} facts
 */
function section(title, facts) {
  return facts.length ? [make("h4", { text: title }), factTable(facts)] : [];
}

/**
 * @param {Fact[]} facts those without a value are left out
 */
function factTable(facts) {
  const rows = facts
    .filter(([, value]) => value)
    .map(([name, value]) => make("tr", {}, make("th", { text: name, attrs: { scope: "row" } }), make("td", {}, value)));
  return make("table", {}, ...rows);
}

/**
 * @param {string} label
 * @param {string} key
 * @param {() => void} click
 */
function button(label, key, click) {
  return make("button", { text: label, title: `${label} (${key})`, on: { click } });
}
