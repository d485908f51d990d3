// @ts-check
/** Scores as text for spreadsheets, with every digit; no spreadsheet runs a text as a formula. Pure. */

/** @typedef {import("./results.mjs").Output} Output */
/** @typedef {import("./viewer/sheets.mjs").Report} Report */
/** @typedef {import("./viewer/sheets.mjs").ReportCell} ReportCell */
/** @typedef {string | number | boolean | null | undefined} Cell */
/** @typedef {{columns: string[], rows: Cell[][]}} Table */

/** What spreadsheets take for the beginning of a formula, also full-width and after blanks (OWASP, CSV Injection). */
const FORMULA = /^(?:[\t\r\n]|\s*[=+\-@＝＋－＠])/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Columns of each kind of entry. */
const MATCH = /** @type {const} */ ([
  "image",
  "text",
  "verdict",
  "z",
  "cosine",
  "clip_score",
  "probability",
  "probability_scale",
  "percentile",
  "threshold",
  "threshold_scale",
  "reason",
  "model",
]);
const LABEL = /** @type {const} */ (["path", "label", "score", "scale", "reason"]);
const RANK = /** @type {const} */ (["index", "path", "score", "scale", "is_kept", "reason", "group"]);
const CELL = /** @type {const} */ (["page", "row", "column", "path", "label", "source"]);

/**
 * The scores of a scoring node's output.
 * @param {Output} output
 * @returns {Table | null} null if it has none
 */
export function scoreTable({ clip_match: matches, clip_labels: labels, clip_rank: ranks }) {
  if (matches?.length) return table(matches, MATCH, { missing: missingPhrases });
  if (labels?.length) return table(labels, LABEL, { likeliest: likeliestLabels });
  return ranks?.length ? table(ranks, RANK, {}) : null;
}

/** @param {NonNullable<Output["clip_match"]>[number]} entry */
function missingPhrases({ phrases = [] }) {
  const missing = phrases.filter((phrase) => phrase.is_missing);
  return missing.map((phrase) => phrase.text).join("; ");
}

/** @param {NonNullable<Output["clip_labels"]>[number]} entry */
function likeliestLabels({ top = [] }) {
  return top.map(({ label, probability }) => `${label} ${probability}`).join("; ");
}

/**
 * The cells of the reports of sheets, with their scores and values.
 * @param {Report[]} reports
 * @returns {Table | null} null if they have none
 */
export function cellTable(reports) {
  const cells = reports.flatMap((report) => report.cells ?? []);
  if (!cells.length) return null;
  /** @type {Record<string, (cell: ReportCell) => Cell>} */
  const more = {};
  for (const name of keysOf(cells.map(({ scores }) => scores))) more[name] = (cell) => cell.scores?.[name];
  for (const name of keysOf(cells.map(({ values }) => values))) more[name] ??= (cell) => cell.values?.[name];
  return table(cells, CELL, more);
}

/** @param {(object | undefined)[]} objects */
function keysOf(objects) {
  return new Set(objects.flatMap((one) => Object.keys(one ?? {})));
}

/**
 * @template {object} Entry
 * @param {Entry[]} entries
 * @param {readonly (keyof Entry & string)[]} names of columns that are properties of the entries
 * @param {Record<string, (entry: Entry) => Cell>} more columns that are made of them
 * @returns {Table}
 */
function table(entries, names, more) {
  const rows = entries.map((entry) => [
    ...names.map((name) => /** @type {Cell} */ (entry[name])),
    ...Object.values(more).map((read) => read(entry)),
  ]);
  return { columns: [...names, ...Object.keys(more)], rows };
}

/**
 * The table as in RFC 4180.
 * @param {Table} table
 * @returns {string}
 */
export function csvText({ columns, rows }) {
  return [columns, ...rows]
    .map((cells) => cells.map((cell) => quoted(textOf(cell), /[,"\r\n]/)).join(",") + "\r\n")
    .join("");
}

/**
 * The table as spreadsheets paste it into cells.
 * @param {Table} table
 * @returns {string}
 */
export function tsvText({ columns, rows }) {
  return [columns, ...rows]
    .map((cells) => cells.map((cell) => quoted(textOf(cell), /[\t"\r\n]/)).join("\t") + "\n")
    .join("");
}

/**
 * @param {Cell} cell
 * @returns {string}
 */
function textOf(cell) {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "string") return String(cell);
  // apostrophes that are there already do not count, as in csv_cells.py
  const bare = cell.replace(/^'+/, "");
  return FORMULA.test(bare) && !NUMBER.test(bare) ? `'${cell}` : cell;
}

/**
 * @param {string} text
 * @param {RegExp} special what needs quotation marks
 * @returns {string}
 */
function quoted(text, special) {
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
