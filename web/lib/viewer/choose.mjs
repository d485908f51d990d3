// @ts-check
/** Which cells of a sheet are shown, and in which order. Pure. */

/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {{id: string, name: string, numeric: boolean}} Order what cells are sorted by */

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** @type {Order} */
export const ON_SHEET = { id: "order", name: "place on the sheet", numeric: false };

/**
 * The cells in which every word of the text is found: in the label, the file's name, the source, values or scores.
 * `name:word` looks only into that value.
 * @param {Cell[]} cells
 * @param {string} text
 * @returns {Cell[]}
 */
export function filterCells(cells, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return cells;
  return cells.filter((cell) => words.every((word) => holds(cell, word)));
}

/**
 * What these cells can be sorted by.
 * @param {Cell[]} cells
 * @returns {Order[]}
 */
export function ordersOf(cells) {
  const scores = namesIn(cells, "scores").map((name) => ({ id: `scores.${name}`, name: `${name} (score)`, numeric: true }));
  const values = namesIn(cells, "values").map((name) => ({ id: `values.${name}`, name, numeric: isNumeric(cells, name) }));
  const texts = [
    { id: "label", name: "label", numeric: false },
    { id: "file", name: "file", numeric: false },
  ];
  return [ON_SHEET, ...texts, ...scores, ...values];
}

/**
 * The cells in order; those without the value come last in both directions, equal ones stay in place.
 * @param {Cell[]} cells
 * @param {Order} order
 * @param {boolean} descending
 * @returns {Cell[]}
 */
export function sortCells(cells, order, descending) {
  if (order.id === ON_SHEET.id) return descending ? [...cells].reverse() : [...cells];
  const keyed = cells.map((cell) => ({ cell, key: keyOf(cell, order) }));
  const sign = descending ? -1 : 1;
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
export function keyOf(cell, { id, numeric }) {
  const value = rawKey(cell, id);
  if (value === null || value === undefined || value === "") return null;
  if (!numeric) return value;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/**
 * @param {Cell} cell
 * @param {string} id
 */
function rawKey(cell, id) {
  if (id === "label") return cell.label;
  if (id === "file") return cell.file;
  if (id.startsWith("scores.")) return cell.scores[id.slice("scores.".length)];
  return cell.values[id.slice("values.".length)];
}

/**
 * @param {Cell} cell
 * @param {string} word in small letters
 */
function holds(cell, word) {
  const [name, rest] = word.split(/:(.*)/);
  const known = Object.entries({ ...cell.values, ...cell.scores }).filter(([key]) => key.toLowerCase() === name);
  if (rest && known.length) return known.some(([, value]) => String(value).toLowerCase().includes(rest));
  return textsOf(cell).some((text) => text.toLowerCase().includes(word));
}

/** @param {Cell} cell */
function textsOf(cell) {
  return [cell.label, cell.file, cell.source, ...Object.values(cell.values), ...Object.values(cell.scores).map(String)].map(String);
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
  const given = cells.map((cell) => cell.values[name]).filter((value) => value !== undefined && value !== "");
  return given.length > 0 && given.every((value) => Number.isFinite(Number(value)));
}
