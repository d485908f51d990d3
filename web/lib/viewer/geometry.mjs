// @ts-check
/** Where cells are on a page, and which part of a page the window shows. Pure. */

/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Box} Box */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{width: number, height: number}} Size */
/**
 * @typedef {object} View which part of a page the window shows
 * @property {number} scale pixels of the screen for one of the page
 * @property {number} x where the page's corner is in the window
 * @property {number} y
 */

/** The largest scale. */
const MAX_SCALE = 16;
/** Pixels around a page that is shown whole. */
const RIM = 16;
/** Pixels of the page that always stay in the window. */
const MIN_VISIBLE = 48;

/**
 * The cell at a point of the page.
 * @param {Cell[]} cells of that page
 * @param {Point} point
 * @returns {Cell | undefined}
 */
export function cellAt(cells, { x, y }) {
  return cells.find(({ box }) => x >= box[0] && y >= box[1] && x < box[0] + box[2] && y < box[1] + box[3]);
}

/**
 * The nearest cell in a direction; cells off the line count as farther.
 * @param {Cell[]} cells
 * @param {Cell} from
 * @param {Point} step one of its numbers is 1 or -1, the other 0
 * @returns {Cell} `from` where there is none
 */
export function neighbour(cells, from, step) {
  const start = centre(from.box);
  let best = from;
  let least = Infinity;
  for (const cell of cells) {
    const { x, y } = centre(cell.box);
    const along = (x - start.x) * step.x + (y - start.y) * step.y;
    const aside = Math.abs((x - start.x) * step.y) + Math.abs((y - start.y) * step.x);
    const distance = along + 3 * aside;
    if (cell !== from && along > 0.5 && distance < least) [best, least] = [cell, distance];
  }
  return best;
}

/**
 * @param {Box} box
 * @returns {Point}
 */
export function centre([x, y, width, height]) {
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * The style of an element that shows a box of a page's image, in any size of the element and of the image.
 * @param {Box} box
 * @param {Size} page
 * @returns {{"background-size": string, "background-position": string}}
 */
export function cropStyle([x, y, width, height], page) {
  return {
    "background-size": `${percent(page.width, width)} ${percent(page.height, height)}`,
    "background-position": `${percent(x, page.width - width)} ${percent(y, page.height - height)}`,
  };
}

/**
 * @param {number} part
 * @param {number} whole
 */
function percent(part, whole) {
  return whole ? `${+((100 * part) / whole).toFixed(5)}%` : "0%";
}

/**
 * A box of the page in pixels of an image of the page with another resolution: whole pixels, inside the image.
 * @param {Box} box
 * @param {Size} page
 * @param {Size} image
 * @returns {Box}
 */
export function scaleBox([x, y, width, height], page, image) {
  const [across, down] = [image.width / page.width, image.height / page.height];
  const [left, top] = [Math.round(x * across), Math.round(y * down)];
  const right = Math.min(image.width, Math.round((x + width) * across));
  const bottom = Math.min(image.height, Math.round((y + height) * down));
  return [left, top, Math.max(1, right - left), Math.max(1, bottom - top)];
}

/**
 * The whole page in the middle of the window, never larger than it is.
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function fitted(page, window) {
  const width = Math.max(1, window.width - 2 * RIM);
  const height = Math.max(1, window.height - 2 * RIM);
  return centred(page, window, Math.min(1, width / page.width, height / page.height));
}

/**
 * @param {Size} page
 * @param {Size} window
 * @param {number} scale
 * @returns {View}
 */
export function centred(page, window, scale) {
  return { scale, x: (window.width - page.width * scale) / 2, y: (window.height - page.height * scale) / 2 };
}

/**
 * The view with another scale; what is under the point stays under it.
 * @param {View} view
 * @param {Point} point in the window
 * @param {number} factor
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function zoomed(view, point, factor, page, window) {
  const least = fitted(page, window).scale / 4;
  const scale = Math.min(MAX_SCALE, Math.max(least, view.scale * factor));
  const growth = scale / view.scale;
  return inWindow(
    { scale, x: point.x - (point.x - view.x) * growth, y: point.y - (point.y - view.y) * growth },
    page,
    window,
  );
}

/**
 * @param {View} view
 * @param {Point} by
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function moved(view, by, page, window) {
  return inWindow({ ...view, x: view.x + by.x, y: view.y + by.y }, page, window);
}

/**
 * The view, moved so far that a part of the page is in the window.
 * @param {View} view
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
function inWindow({ scale, x, y }, page, window) {
  return {
    scale,
    x: between(MIN_VISIBLE - page.width * scale, x, window.width - MIN_VISIBLE),
    y: between(MIN_VISIBLE - page.height * scale, y, window.height - MIN_VISIBLE),
  };
}

/**
 * The view, moved just so far that a box of the page is in the window.
 * @param {View} view
 * @param {Box} box
 * @param {Size} window
 * @returns {View}
 */
export function revealing({ scale, x, y }, [left, top, width, height], window) {
  return {
    scale,
    x: x + shift(x + left * scale, width * scale, window.width),
    y: y + shift(y + top * scale, height * scale, window.height),
  };
}

/**
 * How far to move a stretch so that it is inside; of a longer one the beginning is.
 * @param {number} start
 * @param {number} length
 * @param {number} space
 */
function shift(start, length, space) {
  if (start < RIM) return RIM - start;
  return start + length > space - RIM ? Math.max(RIM - start, space - RIM - start - length) : 0;
}

/**
 * Where a point of the window is on the page.
 * @param {View} view
 * @param {Point} point
 * @returns {Point}
 */
export function onPage(view, { x, y }) {
  return { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
}

/**
 * The factor by which a turn of the wheel zooms.
 * @param {{deltaY: number, deltaMode: number, ctrlKey: boolean}} wheel
 * @returns {number}
 */
export function wheelFactor({ deltaY, deltaMode, ctrlKey }) {
  const pixels = deltaY * [1, 16, 400][deltaMode];
  // a pinch on a touch pad comes as a wheel with Ctrl, in small steps
  return Math.exp(-between(-240, pixels, 240) * (ctrlKey ? 0.01 : 0.0015));
}

/**
 * @param {number} low
 * @param {number} value
 * @param {number} high
 */
function between(low, value, high) {
  return Math.max(Math.min(low, high), Math.min(value, Math.max(low, high)));
}
