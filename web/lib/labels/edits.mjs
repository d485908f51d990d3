// @ts-check
/** Labels that the user edits: written into the labels widget of the node, one line for each picture, and undone. */
import { app } from "../../../../scripts/app.js";
import { BATCH_NODE, isLinked, notice, widgetOf } from "../front_end.mjs";
import { text } from "../texts.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("../viewer/sheets.mjs").Report} Report */
/** @typedef {import("../viewer/sheets.mjs").ReportCell} ReportCell */
/** @typedef {{summary: string, detail: string}} Problem why labels cannot be edited, and what to do */

/** Edits that can be undone, the latest at the end. */
const MAX_EDITS = 200;
/** @type {{node: GraphNode, before: string}[]} */
const edits = [];

/**
 * Why the labels of a sheet cannot be edited in the node's labels widget; null if they can.
 * @param {GraphNode} node
 * @param {Report | null} report
 * @returns {Problem | null}
 */
export function whyNotEditable(node, report) {
  if (!widgetOf(node, "labels")) return { summary: text("edit.no_input"), detail: text("edit.no_input_cure") };
  if (isLinked(node, "labels")) return { summary: text("edit.linked"), detail: text("edit.linked_cure") };
  const cells = report?.cells;
  if (!Array.isArray(cells) || !cells.length) return { summary: text("edit.unknown"), detail: text("edit.queue_cure") };
  if (!cells.every((cell) => isPlace(cell.index))) {
    return { summary: text("edit.older"), detail: text("edit.queue_cure") };
  }
  if (node.comfyClass === BATCH_NODE) {
    const folders = String(widgetOf(node, "directories")?.value ?? "");
    const hasSeveral = folders.trim().split("\n").length > 1 || /[*?[]/.test(folders) || isLinked(node, "directories");
    if (hasSeveral) return { summary: text("edit.several_folders"), detail: text("edit.several_folders_cure") };
    if (report?.skipped?.length) return { summary: text("edit.skipped"), detail: text("edit.skipped_cure") };
  }
  const isHidden = widgetOf(node, "label_position")?.value === "none" && !isLinked(node, "label_position");
  return isHidden ? { summary: text("edit.hidden"), detail: text("edit.hidden_cure") } : null;
}

/** @param {unknown} index */
function isPlace(index) {
  return Number.isInteger(index) && Number(index) >= 0;
}

/**
 * Change the label of one cell.
 * @param {GraphNode} node the node that made the sheet
 * @param {Report | null} report
 * @param {number} cellIndex place of the cell in `report.cells`
 * @param {string} label
 * @returns {boolean} false if it cannot be changed; a notice has said what to do
 */
export function editLabel(node, report, cellIndex, label) {
  const index = report?.cells?.[cellIndex]?.index;
  return setLabels(node, report, index === undefined ? new Map() : new Map([[index, label]]));
}

/**
 * Change several labels at once, undone as one.
 * @param {GraphNode} node
 * @param {Report | null} report
 * @param {Map<number, string>} labels by the place of the picture among the inputs
 * @returns {boolean} false if they cannot be changed; a notice has said what to do
 */
export function setLabels(node, report, labels) {
  const problem = whyNotEditable(node, report);
  if (problem) {
    notice("warn", problem.summary, problem.detail);
    return false;
  }
  const lines = labelLines(node, report);
  for (const [index, label] of labels) lines[index] = asLine(label);
  const before = String(widgetOf(node, "labels")?.value ?? "");
  const after = widgetText(lines);
  if (labels.size && after !== before) {
    edits.push({ node, before });
    if (edits.length > MAX_EDITS) edits.shift();
    write(node, after);
  }
  return true;
}

/**
 * Give the labels widget back the text that it had before the last edit.
 * @param {GraphNode} [node] of this node; else of the one that was edited last
 * @returns {boolean} false if there is nothing to undo
 */
export function undoLabelEdit(node) {
  const at = edits.findLastIndex((edit) => (node ? edit.node === node : edit.node.graph));
  if (at < 0) {
    notice("info", text("edit.nothing_to_undo"));
    return false;
  }
  const [edit] = edits.splice(at, 1);
  write(edit.node, edit.before);
  notice("info", text("edit.undone"), edit.node.title);
  return true;
}

/** Queue the workflow again, as the Run button does. */
export function queueAgain() {
  return app.queuePrompt(0);
}

/**
 * @param {GraphNode} node
 * @param {string} value of the labels widget
 */
function write(node, value) {
  const widget = widgetOf(node, "labels");
  if (!widget) return;
  node.graph?.beforeChange?.();
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  node.graph?.afterChange?.();
  node.graph?.setDirtyCanvas?.(true, true);
}

/**
 * One line for each picture: that of the labels widget, and where it has none what the sheet shows.
 * @param {GraphNode} node
 * @param {Report | null} report
 * @returns {string[]}
 */
export function labelLines(node, report) {
  const typed = linesOf(String(widgetOf(node, "labels")?.value ?? ""));
  const cells = report?.cells ?? [];
  const total = report?.images_found;
  const count = Math.max(Number.isInteger(total) ? Number(total) : 0, ...cells.map((cell) => (cell.index ?? -1) + 1));
  const shown = Array.from({ length: count }, () => "");
  for (const cell of cells) if (cell.index !== undefined) shown[cell.index] = asLine(cell.label ?? "");
  // a single line is the label of all pictures
  if (typed.length === 1) return shown.map(() => typed[0]);
  return shown.map((label, index) => typed[index] ?? label).concat(typed.slice(shown.length));
}

/**
 * The lines of the widget as the node reads them: an empty widget has none, and a line break at the end begins no line.
 * @param {string} value
 * @returns {string[]}
 */
function linesOf(value) {
  const plain = value.replaceAll("\r\n", "\n");
  return plain ? plain.replace(/\n$/, "").split("\n") : [];
}

/**
 * The text of the widget that the node reads as these lines.
 * @param {string[]} lines
 * @returns {string}
 */
function widgetText(lines) {
  const joined = lines.join("\n");
  // the node takes a last line break for the end of the text
  return lines[lines.length - 1] === "" ? `${joined}\n` : joined;
}

/**
 * A label in one line, with its line breaks as \n, which the node turns into breaks.
 * @param {string} label
 * @returns {string}
 */
function asLine(label) {
  return label.replace(/\r\n?|\n/g, "\\n");
}

/**
 * A label as it is drawn.
 * @param {string} line
 * @returns {string}
 */
export function asLabel(line) {
  return line.replaceAll("\\n", "\n");
}
