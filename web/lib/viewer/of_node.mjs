// @ts-check
/** The viewer for the sheets of a node. */
import { editLabel, queueAgain } from "../edits.mjs";
import { refusal } from "../labels/refusals.mjs";
import { notice } from "../notices.mjs";
import { loadSheets } from "./load.mjs";
import { openViewer } from "./open.mjs";

/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {Record<string, any>} Output */

/** @type {WeakMap<object, {output: Output, sheets?: Promise<Sheet[]>}>} */
const told = new WeakMap();

/**
 * Remember what a node told; answers whether it is news.
 * @param {object} node
 * @param {Output} output
 * @returns {boolean}
 */
export function rememberSheets(node, output) {
  const before = told.get(node)?.output;
  // the copy in the workflow and what the page has are of the same run when they name the same files
  if (before && isSame(before, output) && (before.clip_grid || !output.clip_grid)) return false;
  told.set(node, { output });
  return true;
}

/**
 * The sheets of a node, read once, so that corrected labels stay.
 * @param {object} node
 * @returns {Promise<Sheet[]>}
 */
export async function sheetsOfNode(node) {
  const known = told.get(node);
  if (!known) return [];
  known.sheets ??= loadSheets(known.output);
  const sheets = await known.sheets;
  // a sidecar that could not be read is asked for again the next time
  if (sheets.some((sheet) => !sheet.report)) known.sheets = undefined;
  return sheets.filter((sheet) => sheet.pages.length);
}

/**
 * Open the viewer on what a node made.
 * @param {any} node
 * @param {{sheet?: number, page?: number}} [start]
 */
export async function openSheetsOf(node, start = {}) {
  const sheets = await sheetsOfNode(node);
  if (!sheets.length) return notice("info", "There is no sheet yet", "Queue the workflow; the node then keeps its sheet.");
  openViewer({ sheets, start, edits: editsOf(node) });
}

/**
 * @param {any} node
 * @returns {import("./open.mjs").Edits}
 */
function editsOf(node) {
  return {
    problem({ report }) {
      const reason = refusal(node, report);
      return reason ? `${reason.summary}. ${reason.detail}` : "";
    },
    change: ({ report }, { index }, text) => editLabel(node, report, index, text),
    queue: queueAgain,
  };
}

/**
 * @param {Output} a
 * @param {Output} b
 */
function isSame(a, b) {
  return JSON.stringify([a.images, a.clip_grid_files]) === JSON.stringify([b.images, b.clip_grid_files]);
}
