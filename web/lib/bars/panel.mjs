// @ts-check
/** A result in its node: how many ended how, the rows, and what the user should know. */
import { make } from "../dom.mjs";
import { RowList } from "./row_list.mjs";
import { SIGN } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Result} Result */

/** The height of the rows that are seen without scrolling, in pixels: some ten of them. */
const MOST_ROWS_HEIGHT = 460;
/** The height before the first run. */
const EMPTY_HEIGHT = 34;
/** Of the frame and the gaps between the parts. */
const FRAME = 16;

export class Panel {
  #list = new RowList();
  #counts = make("div", { cls: "clip-grid-scores-counts" });
  #scale = make("div", { cls: "clip-grid-scores-scale" });
  #notes = make("div", { cls: "clip-grid-scores-notes" });
  #hint = make("div", { cls: "clip-grid-scores-hint", text: "Queue the workflow: the scores appear here." });
  element = make("div", { cls: "clip-grid clip-grid-scores", data: { captureWheel: "true", empty: "true" } }, this.#hint);
  height = EMPTY_HEIGHT;
  count = 0;

  /** @param {Result} result */
  show(result) {
    this.count = result.rows.length;
    this.element.dataset.empty = "false";
    this.#counts.replaceChildren(...result.counts.map(countView));
    this.#scale.textContent = this.#scale.title = result.scale;
    this.#notes.textContent = this.#notes.title = result.notes.join("\n");
    this.element.replaceChildren(this.#counts, this.#scale, this.#list.element, ...(result.notes.length ? [this.#notes] : []));
    this.#list.show(result.rows);
  }

  /** The height that shows all, or some ten rows, in pixels; the same as before while the panel is not on the page. */
  measure() {
    if (!this.element.isConnected || this.count === 0 || this.element.offsetWidth === 0) return this.height;
    const rows = Math.min(this.#list.wholeHeight, MOST_ROWS_HEIGHT);
    const rest = [this.#counts, this.#scale, this.#notes].reduce((sum, { offsetHeight }) => sum + offsetHeight, 0);
    this.height = rows + rest + FRAME;
    return this.height;
  }
}

/**
 * @param {import("./rows.mjs").Count} count
 * @returns {HTMLElement}
 */
function countView({ state, word, count }) {
  const sign = make("span", { cls: "clip-grid-score-sign", text: SIGN[state] });
  return make("span", { cls: "clip-grid-scores-count", data: { state } }, sign, ` ${count} ${word}`);
}
