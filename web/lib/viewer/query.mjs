// @ts-check
/** Which cells of a sheet are shown, and in which order. */
import { text } from "../texts.mjs";

/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {{id: string, name: string, numeric: boolean}} Order what cells are sorted by */

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The order of the cells on the sheet. */
const SHEET_ORDER = "order";

/**
 * The cells that have every word of the text in the label, the file's name, the source, values or scores.
 * `name:word` looks for the word in that value only.
 * @param {Cell[]} cells
 * @param {string} words
 * @returns {Cell[]}
 */
export function filterCells(cells, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return cells.filter((cell) => wanted.every((word) => hasWord(cell, word)));
}

/**
 * @param {Cell} cell
 * @param {string} word in small letters
 */
function hasWord(cell, word) {
  const [name, rest] = word.split(/:(.*)/);
  const named = Object.entries({ ...cell.values, ...cell.scores }).filter(([key]) => key.toLowerCase() === name);
  if (rest && named.length) return named.some(([, value]) => String(value).toLowerCase().includes(rest));
  const texts = [cell.label, cell.file, cell.source, ...Object.values(cell.values), ...Object.values(cell.scores)];
  return texts.some((one) => String(one).toLowerCase().includes(word));
}

/**
 * What these cells can be sorted by; the order on the sheet comes first.
 * @param {Cell[]} cells
 * @returns {[Order, ...Order[]]}
 */
export function ordersOf(cells) {
  const scores = namesIn(cells, "scores").map((name) => ({
    id: `scores.${name}`,
    name: text("order.score", { name }),
    numeric: true,
  }));
  const values = namesIn(cells, "values").map((name) => ({
    id: `values.${name}`,
    name,
    numeric: isNumeric(cells, name),
  }));
  return [
    { id: SHEET_ORDER, name: text("order.sheet"), numeric: false },
    { id: "label", name: text("order.label"), numeric: false },
    { id: "file", name: text("order.file"), numeric: false },
    ...scores,
    ...values,
  ];
}

/**
 * @param {Cell[]} cells
 * @param {"values" | "scores"} part
 * @returns {string[]}
 */
function namesIn(cells, part) {
  return [...new Set(cells.flatMap((cell) => Object.keys(cell[part])))].sort(collator.compare);
}

/**
 * @param {Cell[]} cells
 * @param {string} name
 */
function isNumeric(cells, name) {
  const values = cells.map((cell) => cell.values[name]).filter((value) => value !== undefined && value !== "");
  return values.length > 0 && values.every((value) => Number.isFinite(Number(value)));
}

/**
 * The cells in order; those without the value come last in both directions, equal ones stay in place.
 * @param {Cell[]} cells
 * @param {Order} order
 * @param {boolean} isDescending
 * @returns {Cell[]}
 */
export function sortCells(cells, order, isDescending) {
  if (order.id === SHEET_ORDER) return isDescending ? [...cells].reverse() : [...cells];
  const keyed = cells.map((cell) => ({ cell, key: sortKey(cell, order) }));
  const sign = isDescending ? -1 : 1;
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
    return sign * (order.numeric ? Number(a.key) - Number(b.key) : collator.compare(String(a.key), String(b.key)));
  });
  return keyed.map(({ cell }) => cell);
}

/**
 * What a cell is sorted by.
 * @param {Cell} cell
 * @param {Order} order
 * @returns {string | number | null} null for none
 */
export function sortKey(cell, { id, numeric }) {
  const value = valueOf(cell, id);
  if (value === null || value === undefined || value === "") return null;
  if (!numeric) return value;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/**
 * @param {Cell} cell
 * @param {string} id of an order
 */
function valueOf(cell, id) {
  if (id === "label") return cell.label;
  if (id === "file") return cell.file;
  if (id.startsWith("scores.")) return cell.scores[id.slice("scores.".length)];
  return cell.values[id.slice("values.".length)];
}
