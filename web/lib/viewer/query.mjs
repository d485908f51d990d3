// @ts-check
/**
 * Which cells of a sheet are shown, and in which order: in the viewer, and in HTML sheets, which hold this module's
 * text in their script. So it imports nothing.
 */

/**
 * What is known of a cell.
 * @typedef {object} Row
 * @property {string} label
 * @property {string} file
 * @property {string} source where the label comes from
 * @property {string} [place] headers of its row and column, where the cell has them
 * @property {Record<string, string>} values
 * @property {Record<string, number | null>} scores
 */
/** @typedef {{id: string, name: string, numeric: boolean}} Order what cells are sorted by */
/** @typedef {{sheet: string, label: string, file: string, score: (name: string) => string}} OrderNames */

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The order of the cells on the sheet. */
const SHEET_ORDER = "order";

/**
 * The cells that have every word of the text in the label, the file's name, the source, values or scores.
 * `name:word` looks for the word in that value only, and for a number as a number: cfg:7 finds 7.0, but not 17;
 * `-word` is for cells without the word, `"two words"` for both side by side.
 * @template {Row} Cell
 * @param {Cell[]} cells
 * @param {string} words
 * @returns {Cell[]}
 */
export function filterCells(cells, words) {
  const names = new Set(cells.flatMap((cell) => Object.keys({ ...cell.values, ...cell.scores })));
  const known = new Set([...names].map((name) => name.toLowerCase()));
  const tests = (words.toLowerCase().match(/-?(?:[^\s":]+:)?"[^"]*"?|\S+/g) ?? []).map((word) => {
    const isNegative = word.length > 1 && word.startsWith("-");
    const bare = (isNegative ? word.slice(1) : word).replaceAll('"', "");
    return (/** @type {Cell} */ cell) => hasWord(cell, bare, known) !== isNegative;
  });
  return cells.filter((cell) => tests.every((test) => test(cell)));
}

/**
 * @param {Row} cell
 * @param {string} word in small letters
 * @param {Set<string>} known the names of all values and scores in small letters
 */
function hasWord(cell, word, known) {
  const [, name = "", wanted = ""] = word.match(/^([^:]*):(.*)/s) ?? [];
  const all = Object.entries({ ...cell.values, ...cell.scores });
  if (known.has(name)) return all.some(([key, value]) => key.toLowerCase() === name && isValue(value, wanted));
  const texts = [cell.label, cell.file, cell.source, cell.place ?? "", ...all.map(([, value]) => value ?? "")];
  return texts.some((one) => String(one).toLowerCase().includes(word));
}

/**
 * @param {string | number | null} value
 * @param {string} wanted in small letters; nothing stands for any value
 */
function isValue(value, wanted) {
  const found = String(value ?? "").toLowerCase();
  const areNumbers = [wanted, found].every((one) => one.trim() !== "" && Number.isFinite(Number(one)));
  return areNumbers ? Number(wanted) === Number(found) : found !== "" && found.includes(wanted);
}

/**
 * What these cells can be sorted by; the order on the sheet comes first.
 * @param {Row[]} cells
 * @param {OrderNames} names what is shown for the orders that are not values
 * @returns {[Order, ...Order[]]}
 */
export function ordersOf(cells, names) {
  const scores = namesIn(cells, "scores").map((name) => ({
    id: `scores.${name}`,
    name: names.score(name),
    numeric: true,
  }));
  const values = namesIn(cells, "values").map((name) => ({
    id: `values.${name}`,
    name,
    numeric: isNumeric(cells, name),
  }));
  return [
    { id: SHEET_ORDER, name: names.sheet, numeric: false },
    { id: "label", name: names.label, numeric: false },
    { id: "file", name: names.file, numeric: false },
    ...scores,
    ...values,
  ];
}

/**
 * @param {Row[]} cells
 * @param {"values" | "scores"} part
 * @returns {string[]}
 */
function namesIn(cells, part) {
  return [...new Set(cells.flatMap((cell) => Object.keys(cell[part])))].sort(collator.compare);
}

/**
 * @param {Row[]} cells
 * @param {string} name
 */
function isNumeric(cells, name) {
  const values = cells.map((cell) => cell.values[name]).filter((value) => value !== undefined && value !== "");
  return values.length > 0 && values.every((value) => Number.isFinite(Number(value)));
}

/**
 * The cells in order; those without the value come last in both directions, equal ones stay in place.
 * @template {Row} Cell
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
 * @param {Row} cell
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
 * @param {Row} cell
 * @param {string} id of an order
 */
function valueOf(cell, id) {
  if (id === "label") return cell.label;
  if (id === "file") return cell.file;
  if (id.startsWith("scores.")) return cell.scores[id.slice("scores.".length)];
  return cell.values[id.slice("values.".length)];
}
