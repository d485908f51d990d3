// @ts-check
/** Scores as text for spreadsheets, with every digit; no spreadsheet runs a text as a formula. */

/** @typedef {string | number | boolean | null | undefined} Cell */
/** @typedef {{columns: string[], rows: Cell[][]}} Table */

/** What spreadsheets take for the beginning of a formula, also full-width and behind blanks (OWASP, CSV Injection). */
const FORMULA = /^(?:[\t\r\n]|\s*[=+\-@＝＋－＠])/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const MATCH = [
  "image", "text", "verdict", "cosine", "clip_score", "probability", "probability_scale", "percentile", "noise_floor",
  "threshold", "threshold_scale", "reason", "model",
];
const LABEL = ["path", "label", "score", "scale", "reason"];
const RANK = ["index", "path", "score", "scale", "is_kept", "reason", "group"];
const CELL = ["page", "row", "column", "path", "label", "source"];

/**
 * The scores of a scoring node's output.
 * @param {Record<string, any[]>} output
 * @returns {Table | null} null if it has none
 */
export function scoreTable(output) {
  if (output.clip_match?.length) return table(output.clip_match, MATCH, { missing });
  if (output.clip_labels?.length) return table(output.clip_labels, LABEL, { likeliest });
  return output.clip_rank?.length ? table(output.clip_rank, RANK, {}) : null;
}

/** @param {{phrases?: {text: string, is_missing: boolean}[]}} one */
const missing = ({ phrases = [] }) => phrases.filter((phrase) => phrase.is_missing).map((phrase) => phrase.text).join("; ");

/** @param {{top?: {label: string, probability: number}[]}} one */
const likeliest = ({ top = [] }) => top.map(({ label, probability }) => `${label} ${probability}`).join("; ");

/**
 * The cells of the reports of sheets, with their values and scores.
 * @param {any[]} reports
 * @returns {Table | null} null if they have none
 */
export function cellTable(reports) {
  const cells = reports.flatMap((report) => report?.cells ?? []);
  if (!cells.length) return null;
  /** @param {string} part */
  const namesIn = (part) => [...new Set(cells.flatMap((cell) => Object.keys(cell[part] ?? {})))];
  /** @type {Record<string, (one: any) => Cell>} */
  const more = {};
  for (const name of namesIn("scores")) more[name] = (one) => one.scores?.[name];
  for (const name of namesIn("values")) more[name] ??= (one) => one.values?.[name];
  return table(cells, CELL, more);
}

/**
 * @param {any[]} entries
 * @param {string[]} names of values that stand in the entries
 * @param {Record<string, (one: any) => Cell>} more columns that are made of them
 * @returns {Table}
 */
function table(entries, names, more) {
  const rows = entries.map((one) => [...names.map((name) => one[name]), ...Object.values(more).map((read) => read(one))]);
  return { columns: [...names, ...Object.keys(more)], rows };
}

/**
 * RFC 4180.
 * @param {Table} given
 * @returns {string}
 */
export function csvText({ columns, rows }) {
  return [columns, ...rows].map((cells) => cells.map((cell) => quoted(written(cell), /[,"\r\n]/)).join(",") + "\r\n").join("");
}

/**
 * What spreadsheets paste into cells.
 * @param {Table} given
 * @returns {string}
 */
export function tsvText({ columns, rows }) {
  return [columns, ...rows].map((cells) => cells.map((cell) => quoted(written(cell), /[\t"\r\n]/)).join("\t") + "\n").join("");
}

/**
 * @param {Cell} cell
 * @returns {string}
 */
function written(cell) {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "string") return String(cell);
  // whatever apostrophes it has already, as csv_cells.py does it
  const bare = cell.replace(/^'+/, "");
  return FORMULA.test(bare) && !NUMBER.test(bare) ? `'${cell}` : cell;
}

/**
 * @param {string} text
 * @param {RegExp} special
 * @returns {string}
 */
function quoted(text, special) {
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
