// @ts-check
/** Which part of a page the window shows: `scale` pixels of the screen for one of the page, and where its corner is. Pure. */

/** @typedef {{scale: number, x: number, y: number}} View */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {{x: number, y: number}} Point */

/** Pixels of the screen for one of the page, at most. */
const CLOSEST = 16;
/** Space around a page that is shown whole. */
const RIM = 16;
/** Of the page that many pixels stay in the window. */
const REST = 48;

/**
 * The whole page in the middle; never larger than it is.
 * @param {Size} page
 * @param {Size} window
 * @param {number} [largest] the scale of 100 %
 * @returns {View}
 */
export function fitted(page, window, largest = 1) {
  const room = { width: Math.max(1, window.width - 2 * RIM), height: Math.max(1, window.height - 2 * RIM) };
  const scale = Math.min(largest, room.width / page.width, room.height / page.height);
  return centred(page, window, scale);
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
 * Nearer by a factor; what is under the point stays under it.
 * @param {View} view
 * @param {Point} point in the window
 * @param {number} factor
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function zoomed(view, point, factor, page, window) {
  const farthest = fitted(page, window).scale / 4;
  const scale = Math.min(CLOSEST, Math.max(farthest, view.scale * factor));
  const grown = scale / view.scale;
  return kept({ scale, x: point.x - (point.x - view.x) * grown, y: point.y - (point.y - view.y) * grown }, page, window);
}

/**
 * @param {View} view
 * @param {Point} by
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function moved(view, by, page, window) {
  return kept({ ...view, x: view.x + by.x, y: view.y + by.y }, page, window);
}

/**
 * The view moved so far that the page does not leave the window.
 * @param {View} view
 * @param {Size} page
 * @param {Size} window
 * @returns {View}
 */
export function kept(view, page, window) {
  return {
    scale: view.scale,
    x: between(REST - page.width * view.scale, view.x, window.width - REST),
    y: between(REST - page.height * view.scale, view.y, window.height - REST),
  };
}

/**
 * The view moved just so far that a box of the page can be seen.
 * @param {View} view
 * @param {readonly [number, number, number, number]} box
 * @param {Size} window
 * @returns {View}
 */
export function revealing(view, [left, top, width, height], window) {
  const shift = (/** @type {number} */ start, /** @type {number} */ length, /** @type {number} */ room) =>
    start < RIM ? RIM - start : start + length > room - RIM ? Math.max(RIM - start, room - RIM - start - length) : 0;
  const [x, y] = [view.x + left * view.scale, view.y + top * view.scale];
  return {
    scale: view.scale,
    x: view.x + shift(x, width * view.scale, window.width),
    y: view.y + shift(y, height * view.scale, window.height),
  };
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
 * The factor that a turn of the wheel means.
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
