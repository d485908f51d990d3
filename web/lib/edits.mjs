// @ts-check
/** Labels that the user corrects: written into the labels widget, taken back, and made anew. */
import { app } from "../../../scripts/app.js";
import { allLines, asLine, textOf } from "./labels/lines.mjs";
import { labelsWidget, refusal } from "./labels/refusals.mjs";
import { notice } from "./notices.mjs";

/** @typedef {{node: any, before: string}} Edit */

/** Edits that can be taken back, the latest at the end. */
const MOST_EDITS = 200;
/** @type {Edit[]} */
const edits = [];

/**
 * Correct the label of one cell. The node's labels widget then has a line for each picture.
 * @param {any} node the node that made the sheet
 * @param {any} report of that sheet, as in its sidecar
 * @param {number} cellIndex place of the cell in `report.cells`
 * @param {string} text
 * @returns {boolean} false when it cannot be; a notice has said what to do instead
 */
export function editLabel(node, report, cellIndex, text) {
  const cell = report?.cells?.[cellIndex];
  return setLabels(node, report, cell ? new Map([[cell.index, text]]) : new Map());
}

/**
 * Correct several labels at once, taken back as one.
 * @param {any} node
 * @param {any} report
 * @param {Map<number, string>} labels by the place of the picture among those given
 * @returns {boolean}
 */
export function setLabels(node, report, labels) {
  const problem = refusal(node, report);
  if (problem) {
    notice("warn", problem.summary, problem.detail);
    return false;
  }
  const widget = labelsWidget(node);
  const before = String(widget.value ?? "");
  const lines = allLines(before, report.cells, report.images_found);
  for (const [index, label] of labels) lines[index] = asLine(label);
  const text = textOf(lines);
  if (labels.size && text !== before) change(node, text, before);
  return true;
}

/**
 * Give the labels widget back the text that it had before the last correction.
 * @param {any} [node] of this node; else of the one that was corrected last
 * @returns {boolean} false when there is nothing to take back
 */
export function undoLabelEdit(node) {
  const at = edits.findLastIndex((edit) => (node ? edit.node === node : edit.node.graph));
  if (at < 0) {
    notice("info", "There is no corrected label to take back");
    return false;
  }
  const [edit] = edits.splice(at, 1);
  write(edit.node, edit.before);
  notice("info", "Labels are as they were before the last correction", edit.node.title);
  return true;
}

/** Queue the workflow again, as the Run button does. */
export function queueAgain() {
  return app.queuePrompt(0);
}

/**
 * @param {any} node
 * @param {string} text
 * @param {string} before
 */
function change(node, text, before) {
  edits.push({ node, before });
  if (edits.length > MOST_EDITS) edits.shift();
  write(node, text);
}

/**
 * @param {any} node
 * @param {string} text
 */
function write(node, text) {
  const widget = labelsWidget(node);
  node.graph?.beforeChange?.();
  widget.value = text;
  widget.callback?.(text, app.canvas, node);
  node.graph?.afterChange?.();
  node.graph?.setDirtyCanvas?.(true, true);
}
