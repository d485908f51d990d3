// @ts-check
/** What lies over the page: a frame around the cell that is looked at, and the new labels of cells that were corrected. */
import { make } from "../dom.mjs";

/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./state.mjs").State} State */
/** @typedef {import("./zoom.mjs").View} View */

export class Marks {
  outline = make("div", { cls: "clip-grid-outline" });
  tags = make("div", { cls: "clip-grid-tags" });

  /**
   * @param {State} state
   * @param {View} view
   */
  draw(state, view) {
    const { cell } = state;
    this.outline.hidden = cell?.page !== state.page.number;
    if (cell) put(this.outline, cell, view);
    this.outline.classList.toggle("clip-grid-pinned", state.pinned);
    // the picture has the old labels until the next run
    const edited = state.cells.filter((one) => one.edited);
    const tags = edited.map((one) => put(make("div", {}, make("span", { text: one.label || "no label" })), one, view));
    if (tags.length || this.tags.childElementCount) this.tags.replaceChildren(...tags);
  }
}

/**
 * Lay an element over a cell.
 * @param {HTMLElement} element
 * @param {Cell} cell
 * @param {View} view
 */
function put(element, { box }, view) {
  const [left, top, width, height] = box.map((part) => part * view.scale);
  const { style } = element;
  style.transform = `translate(${view.x + left}px, ${view.y + top}px)`;
  [style.width, style.height] = [`${width}px`, `${height}px`];
  return element;
}
