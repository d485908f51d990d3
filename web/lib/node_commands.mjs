// @ts-check
/** What the commands of CLIP Grid do with a node: each ends with a notice. */
import { app } from "../../../scripts/app.js";
import { copyText } from "./clipboard.mjs";
import { lastOutput } from "./last_output.mjs";
import { notice } from "./notices.mjs";
import { cellTable, csvText, scoreTable, tsvText } from "./score_table.mjs";
import { loadSheets } from "./viewer/load.mjs";

export const SHEET_NODES = new Set(["ClipGrid_LabeledGridExporter", "ClipGrid_BatchLabeledGridExporter"]);
export const SCORE_NODES = new Set(["ClipGrid_CLIPMatchScore", "ClipGrid_CLIPLabel", "ClipGrid_RankImages"]);

/**
 * The selected node of ours, or the only one in the graph.
 * @param {(node: any) => boolean} isWanted
 * @returns {any}
 */
export function wantedNode(isWanted) {
  const selected = [...(app.canvas?.selectedItems ?? [])].filter(isWanted);
  if (selected.length) return selected[0];
  const all = (app.canvas?.graph?.nodes ?? []).filter(isWanted);
  return all.length === 1 ? all[0] : null;
}

/**
 * @param {any} node
 * @returns {boolean}
 */
export function hasResult(node) {
  return SHEET_NODES.has(node?.comfyClass) || SCORE_NODES.has(node?.comfyClass);
}

/**
 * @param {any} node
 * @param {"csv" | "tsv"} kind
 */
export async function copyScores(node, kind) {
  await copied(node, "Scores", async (output) => {
    const table = SHEET_NODES.has(node.comfyClass) ? cellTable(await reportsOf(output)) : scoreTable(output);
    if (!table) return null;
    return { text: kind === "csv" ? csvText(table) : tsvText(table), told: `${count(table.rows.length, "row")} as ${kind.toUpperCase()}` };
  });
}

/** @param {any} node */
export async function copyReport(node) {
  await copied(node, "Report", async (output) => {
    const told = SHEET_NODES.has(node.comfyClass) ? oneOrAll(await reportsOf(output)) : ofScores(output);
    return told && { text: JSON.stringify(told, null, 2), told: "as JSON" };
  });
}

/**
 * @param {any} node
 * @param {string} what
 * @param {(output: Record<string, any[]>) => Promise<{text: string, told: string} | null>} read
 */
async function copied(node, what, read) {
  if (!node) return notice("info", "No node is selected", "Select a node of CLIP Grid that has run, then try again.");
  try {
    const output = lastOutput(node);
    const found = output && (await read(output));
    if (!found) return notice("info", `${node.title} has no result yet`, "Queue the workflow, then try again.");
    await copyText(found.text);
    return notice("success", `${what} copied`, `${node.title}: ${found.told}.`);
  } catch (error) {
    return notice("error", `${what} not copied`, /** @type {Error} */ (error).message);
  }
}

/**
 * @param {Record<string, any[]>} output
 * @returns {Promise<any[]>}
 */
async function reportsOf(output) {
  const sheets = await loadSheets(output);
  return sheets.map((sheet) => sheet.report).filter(Boolean);
}

/** @param {any[]} reports */
function oneOrAll(reports) {
  return reports.length > 1 ? { grids: reports } : (reports[0] ?? null);
}

/** @param {Record<string, any[]>} output */
function ofScores(output) {
  const key = ["clip_match", "clip_labels", "clip_rank"].find((name) => output[name]?.length);
  return key ? { [key]: output[key], notes: output.clip_notes ?? [] } : null;
}

/**
 * @param {number} number
 * @param {string} word
 */
function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
