// @ts-check
/** The facts of a cell and of a sheet, in words. */
import { setting } from "../setting.mjs";

/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */

/** @type {Record<string, string>} */
const SOURCES = {
  text: "given text",
  columns: "chosen columns",
  csv: "CSV or JSON table",
  clip: "CLIP",
  metadata: "generation data",
  filename: "file name",
};

/**
 * Where a label comes from, in words.
 * @param {string} source
 */
export function sourceInWords(source) {
  return SOURCES[source] ?? source;
}

/**
 * A score with the digits of the settings.
 * @param {unknown} score null for a picture that has none
 * @returns {string}
 */
export function shownScore(score) {
  return typeof score === "number" ? score.toFixed(setting("ClipGrid.Decimals", 3)) : "none";
}

/**
 * The message of an error as users read it.
 * @param {string} text
 */
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/**
 * @param {Sheet} sheet
 * @returns {[string, string][]}
 */
export function factsOfSheet({ pages, cells, report, name }) {
  if (!report) return [["file", name]];
  /** @type {[string, string][]} */
  const facts = [
    ["pictures", `${cells.length} of ${report.images_found ?? cells.length}`],
    ["grid", String(report.grid_dimensions ?? "").replace("x", " × ")],
    ["pages", String(pages.length)],
    ["size", pages[0] ? `${pages[0].width} × ${pages[0].height}` : ""],
    ["format", String(report.export_format ?? "")],
  ];
  const sources = Object.entries(report.label_sources ?? {}).map(([source, count]) => `${sourceInWords(source)}: ${count}`);
  facts.push(["labels", sources.join(", ")], ...Object.entries(report.axes?.constant ?? {}).map(constant));
  return facts.filter(([, value]) => value);
}

/**
 * @param {[string, unknown]} entry
 * @returns {[string, string]}
 */
function constant([name, value]) {
  return [name, String(value)];
}
