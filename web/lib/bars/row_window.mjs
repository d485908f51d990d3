// @ts-check
/** Which rows of a long list are on the screen. */

/** Rows above and below the visible ones that are drawn too, so that scrolling shows no gap and draws seldom. */
const SPARE = 12;

/** @typedef {{first: number, end: number}} Rows the first one and the one behind the last */

/**
 * @typedef {object} Seen
 * @property {number} top how far the list is scrolled, in pixels
 * @property {number} height what is visible of it, in pixels
 * @property {number} row the height of a row, in pixels
 * @property {number} count of all rows
 */

/**
 * The rows to draw: those that are drawn already, as long as they are enough.
 * @param {Seen} seen
 * @param {Rows} drawn
 * @returns {Rows}
 */
export function rowWindow({ top, height, row, count }, drawn) {
  const first = Math.max(0, Math.min(count - 1, Math.floor(top / row)));
  const end = Math.max(first, Math.min(count, Math.ceil((top + height) / row)));
  if (drawn.first <= first && end <= drawn.end) return drawn;
  return { first: Math.max(0, first - SPARE), end: Math.min(count, end + SPARE) };
}
