// @ts-check
/** The panel beside the pictures: the facts of the cell that is looked at, else those of the sheet. */
import { make } from "../dom.mjs";
import { factsOfSheet, shownScore, sourceInWords } from "./facts.mjs";
import { cropOf } from "./tile.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */

/**
 * @param {Viewer} viewer
 * @returns {Node[]}
 */
export function panelOf(viewer) {
  const { cell, sheet } = viewer.state;
  return cell ? cellPanel(viewer, cell, sheet) : sheetPanel(sheet);
}

/**
 * @param {Viewer} viewer
 * @param {Cell} cell
 * @param {Sheet} sheet
 */
function cellPanel(viewer, cell, sheet) {
  const { state } = viewer;
  const page = sheet.pages.length > 1 ? `page ${cell.page + 1}, ` : "";
  return [
    make("div", { cls: "clip-grid-panel-picture" }, cropOf(cell, sheet.pages[cell.page], { layers: true })),
    make("h3", { cls: "clip-grid-panel-label", text: cell.label || "no label" }),
    cell.edited && make("p", { cls: "clip-grid-note", text: "Edited: queue the workflow again to draw it." }),
    cell.edited && viewer.edits && make("div", { cls: "clip-grid-actions" }, button("Queue again", "draws the new labels", () => queueAgain(viewer))),
    table([
      ["label from", sourceInWords(cell.source)],
      ["nearly", cell.runnerUp],
      ["file", cell.file],
      ["place", `${page}row ${cell.row + 1}, column ${cell.column + 1}`],
    ], { file: cell.path }),
    ...section("Scores", Object.entries(cell.scores).map(([name, score]) => [name, shownScore(score)])),
    ...section("Values", Object.entries(cell.values).map(([name, value]) => [name, String(value)])),
    make("div", { cls: "clip-grid-actions" },
      button(state.pinned ? "Unpin" : "Pin", "Enter", () => viewer.pin(cell)),
      viewer.edits && button("Edit label", "e", () => viewer.edit(cell)),
      button(state.chosen.includes(cell) ? "Do not compare" : "Choose to compare", "x", () => viewer.choose(cell)),
      button("Compare", "c", () => viewer.go("compare")),
      button("Save picture", "d", () => viewer.saves.cell(cell)),
    ),
  ].filter(isNode);
}

/** @param {Viewer} viewer */
function queueAgain(viewer) {
  void viewer.edits?.queue();
  viewer.say("Queued: the node shows the new sheet when it is made");
}

/** @param {Sheet} sheet */
function sheetPanel(sheet) {
  return [
    make("h3", { cls: "clip-grid-panel-label", text: sheet.name }),
    table(factsOfSheet(sheet)),
    ...sheet.notes.slice(0, MOST_NOTES).map((text) => make("p", { cls: "clip-grid-note", text })),
    ...(sheet.notes.length > MOST_NOTES ? [make("p", { cls: "clip-grid-note", text: `and ${sheet.notes.length - MOST_NOTES} more in the report` })] : []),
    ...(sheet.cells.length ? [make("p", { cls: "clip-grid-quiet", text: "Point at a cell to see what is known of it; press ? for the keys." })] : []),
  ];
}

const MOST_NOTES = 30;

/**
 * @param {string} title
 * @param {string[][]} rows
 * @returns {Node[]}
 */
function section(title, rows) {
  return rows.length ? [make("h4", { text: title }), table(rows)] : [];
}

/**
 * @param {string[][]} rows name and value; without those that are empty
 * @param {Record<string, string>} [titles]
 */
function table(rows, titles = {}) {
  const shown = rows.filter(([, value]) => value);
  return make("table", {}, ...shown.map(([name, value]) => make("tr", {}, make("th", { text: name, attrs: { scope: "row" } }), make("td", { text: value, title: titles[name] }))));
}

/**
 * @param {string} text
 * @param {string} key
 * @param {() => void} click
 */
function button(text, key, click) {
  return make("button", { text, title: `${text} (${key})`, on: { click } });
}

/**
 * @param {unknown} value
 * @returns {value is Node}
 */
function isNode(value) {
  return value instanceof Node;
}
