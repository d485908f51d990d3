// @ts-check
/** One cell of a sheet as an element: its picture, cut out of the page's, with or without its label. */
import { make } from "../dom.mjs";
import { cropStyle } from "./boxes.mjs";
import { keyOf } from "./choose.mjs";
import { layersOf } from "./pictures.mjs";
import { shownScore } from "./facts.mjs";

/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */
/** @typedef {import("./choose.mjs").Order} Order */

/**
 * A cell's picture as large as its box allows; the parent sets `--clip-grid-page-N`, or it comes with the layers.
 * @param {Cell} cell
 * @param {Page} page
 * @param {{layers?: boolean}} [given]
 */
export function cropOf(cell, page, { layers = false } = {}) {
  const [, , width, height] = cell.imageBox;
  const image = layers ? layersOf(page) : `var(--clip-grid-page-${page.number})`;
  const style = { "background-image": image, "--clip-grid-ratio": String(width / height), ...cropStyle(cell.imageBox, page) };
  return make("div", { cls: "clip-grid-crop", style });
}

/**
 * A tile of the wall.
 * @param {Cell} cell
 * @param {Page} page
 */
export function tileOf(cell, page) {
  const label = make("span", { cls: "clip-grid-tile-label" });
  const key = make("span", { cls: "clip-grid-tile-key" });
  const frame = make("div", { cls: "clip-grid-frame" }, cropOf(cell, page));
  const tile = make("div", { cls: "clip-grid-tile", attrs: { role: "option", tabindex: -1 } }, frame, make("div", { cls: "clip-grid-tile-line" }, key, label));
  const shown = Object.assign(tile, {
    /** @param {Cell} cell */
    showLabel({ label: text, edited, file }) {
      label.textContent = text || file;
      tile.setAttribute("aria-label", text || file);
      tile.classList.toggle("clip-grid-edited", edited);
    },
    /** @param {Order} order */
    showKey(order) {
      const value = /^(scores|values)\./.test(order.id) ? keyOf(cell, order) : null;
      key.textContent = value === null ? "" : order.id.startsWith("scores.") ? shownScore(value) : String(value);
    },
  });
  shown.showLabel(cell);
  return shown;
}
