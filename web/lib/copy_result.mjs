// @ts-check
/** Commands that copy the scores or the report of a node to the clipboard, each with a notice. */
import { copyText } from "./dom.mjs";
import { messageOf } from "./files.mjs";
import { SCORE_NODES, SHEET_NODES, notice } from "./front_end.mjs";
import { latestOutput } from "./results.mjs";
import { cellTable, csvText, scoreTable, tsvText } from "./score_table.mjs";
import { scoresKey } from "./scores/rows.mjs";
import { text } from "./texts.mjs";
import { loadSheets } from "./viewer/sheets.mjs";

/** @typedef {import("./front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./results.mjs").Output} Output */
/** @typedef {{content: string, description: string}} Copied */

/**
 * Whether a node can have scores or a report.
 * @param {GraphNode | null | undefined} node
 * @returns {boolean}
 */
export function hasResult(node) {
  return node ? SHEET_NODES.has(node.comfyClass) || SCORE_NODES.has(node.comfyClass) : false;
}

/**
 * @param {GraphNode | null} node
 * @param {"csv" | "tsv"} format
 */
export function copyScores(node, format) {
  const messages = { copied: text("copy.scores_copied"), failed: text("copy.scores_not_copied") };
  return copy(node, messages, async (sheetNode, output) => {
    const table = SHEET_NODES.has(sheetNode.comfyClass) ? cellTable(await reportsOf(output)) : scoreTable(output);
    if (!table) return null;
    const description = text("copy.rows", { count: table.rows.length, format: format.toUpperCase() });
    return { content: format === "csv" ? csvText(table) : tsvText(table), description };
  });
}

/** @param {GraphNode | null} node */
export function copyReport(node) {
  const messages = { copied: text("copy.report_copied"), failed: text("copy.report_not_copied") };
  return copy(node, messages, async (sheetNode, output) => {
    const report = SHEET_NODES.has(sheetNode.comfyClass) ? sheetReport(await reportsOf(output)) : scoreReport(output);
    return report && { content: JSON.stringify(report, null, 2), description: text("copy.as_json") };
  });
}

/**
 * @param {GraphNode | null} node
 * @param {{copied: string, failed: string}} messages
 * @param {(node: GraphNode, output: Output) => Promise<Copied | null>} read null when there is nothing to copy
 */
async function copy(node, messages, read) {
  if (!node) return notice("info", text("copy.no_node"), text("copy.no_node_cure"));
  try {
    const output = latestOutput(node);
    const copied = output && (await read(node, output));
    if (!copied) return notice("info", text("copy.no_result", { node: node.title }), text("copy.no_result_cure"));
    if (!(await copyText(copied.content))) return notice("error", messages.failed, text("copy.not_allowed"));
    return notice("success", messages.copied, `${node.title}: ${copied.description}`);
  } catch (error) {
    return notice("error", messages.failed, messageOf(error));
  }
}

/** @param {Output} output */
async function reportsOf(output) {
  const sheets = await loadSheets(output);
  return sheets.flatMap(({ report }) => report ?? []);
}

/** @param {object[]} reports */
function sheetReport(reports) {
  return reports.length > 1 ? { grids: reports } : (reports[0] ?? null);
}

/** @param {Output} output */
function scoreReport(output) {
  const key = scoresKey(output);
  return key ? { [key]: output[key], notes: output.clip_notes ?? [] } : null;
}
