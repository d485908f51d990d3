// @ts-check
/** The cells of a report, as far as they can be shown. Pure. */

/** @typedef {[number, number, number, number]} Box left, top, width and height in pixels of the page */
/**
 * @typedef {object} Cell
 * @property {number} index place in the report's list of cells
 * @property {number} page
 * @property {number} row
 * @property {number} column
 * @property {string} label
 * @property {string} source
 * @property {string} path
 * @property {string} file the last part of the path
 * @property {string} runnerUp
 * @property {Box} box
 * @property {Box} imageBox
 * @property {Record<string, string>} values
 * @property {Record<string, number | null>} scores
 * @property {boolean} edited
 */

/**
 * The cells of a report.
 * @param {any} report
 * @returns {Cell[]} those that can be drawn: a file that was changed by hand may hold anything
 */
export function cellsOf(report) {
  const told = Array.isArray(report?.cells) ? report.cells : [];
  return told.map(cellOf).filter((/** @type {Cell} */ cell) => isBox(cell.box) && isBox(cell.imageBox));
}

/**
 * @param {any} told
 * @param {number} index
 * @returns {Cell}
 */
function cellOf(told, index) {
  return {
    index,
    page: size(told?.page),
    row: size(told?.row),
    column: size(told?.column),
    label: String(told?.label ?? ""),
    source: String(told?.source ?? ""),
    path: String(told?.path ?? ""),
    file: fileName(told?.path),
    runnerUp: String(told?.runner_up ?? ""),
    box: told?.box,
    imageBox: told?.image_box,
    values: { ...told?.values },
    scores: { ...told?.scores },
    edited: false,
  };
}

/**
 * The last part of a path of any system.
 * @param {unknown} path
 * @returns {string}
 */
export function fileName(path) {
  return String(path ?? "").split(/[\\/]/).pop() ?? "";
}

/**
 * A width, a height or a place.
 * @param {unknown} value
 * @returns {number} 0 for what is no size
 */
export function size(value) {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? number : 0;
}

/**
 * @param {unknown} box
 * @returns {boolean}
 */
function isBox(box) {
  return Array.isArray(box) && box.length === 4 && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0;
}
