// @ts-check
/** Where cells are on a page, and how one is cut out of its picture. Pure. */

/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./cells.mjs").Box} Box */

/**
 * The cell at a point of the page.
 * @param {Cell[]} cells of that page
 * @param {{x: number, y: number}} point
 * @returns {Cell | undefined}
 */
export function cellAt(cells, { x, y }) {
  return cells.find(({ box }) => x >= box[0] && y >= box[1] && x < box[0] + box[2] && y < box[1] + box[3]);
}

/**
 * The next cell in a direction: of the cells on that side the nearest, and one in line before one aslant.
 * @param {Cell[]} cells
 * @param {Cell} from
 * @param {{x: number, y: number}} step one of its numbers is 1 or -1, the other 0
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
    const cost = along + 3 * aside;
    if (cell !== from && along > 0.5 && cost < least) [best, least] = [cell, cost];
  }
  return best;
}

/**
 * Style of an element that shows a box of a picture, whatever the element's size and the picture's resolution are.
 * @param {Box} box
 * @param {{width: number, height: number}} page the size that the box is measured in
 * @returns {{"background-size": string, "background-position": string}}
 */
export function cropStyle([x, y, width, height], page) {
  return {
    "background-size": `${percent(page.width, width)} ${percent(page.height, height)}`,
    "background-position": `${percent(x, page.width - width)} ${percent(y, page.height - height)}`,
  };
}

/**
 * The box in pixels of a picture of the page with another resolution, whole and inside the picture.
 * @param {Box} box
 * @param {{width: number, height: number}} page
 * @param {{width: number, height: number}} picture
 * @returns {Box}
 */
export function scaleBox([x, y, width, height], page, picture) {
  const [across, down] = [picture.width / page.width, picture.height / page.height];
  const [left, top] = [Math.round(x * across), Math.round(y * down)];
  const right = Math.min(picture.width, Math.round((x + width) * across));
  const bottom = Math.min(picture.height, Math.round((y + height) * down));
  return [left, top, Math.max(1, right - left), Math.max(1, bottom - top)];
}

/** @param {Box} box */
export function centre([x, y, width, height]) {
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * @param {number} part
 * @param {number} whole
 */
function percent(part, whole) {
  return whole ? `${+((100 * part) / whole).toFixed(5)}%` : "0%";
}
