// @ts-check
/** Rows below each other that scroll: of a few rows all are drawn, of many those on the screen. */
import { make } from "../dom.mjs";
import { rowView } from "./row_view.mjs";
import { rowWindow } from "./row_window.mjs";

/** @typedef {import("./rows.mjs").Row} Row */

/** Rows that are all drawn, each as high as it needs. */
export const MOST_DRAWN = 30;
/** Heights of rows of two and three lines in a longer list, in pixels. */
const LOW_ROW = 36;
const HIGH_ROW = 52;

export class RowList {
  /** @type {Row[]} */
  #rows = [];
  #isThree = false;
  #drawn = { first: 0, end: 0 };
  #inner = make("div", { cls: "clip-grid-scores-rows" });
  element = make("div", {
    cls: "clip-grid-scores-list",
    attrs: { role: "list", tabindex: "0", "aria-label": "Scores" },
    on: { scroll: () => this.#drawWindow() },
  }, this.#inner);

  constructor() {
    new ResizeObserver(() => this.#drawWindow()).observe(this.element);
  }

  /** @param {Row[]} rows */
  show(rows) {
    this.#rows = rows;
    this.#isThree = rows.some((row) => row.chips.length > 0 || row.note !== "");
    this.#drawn = { first: 0, end: 0 };
    this.#inner.dataset.long = String(this.#isLong);
    this.#inner.style.height = this.#isLong ? `${rows.length * this.#rowHeight}px` : "";
    this.#inner.replaceChildren(...(this.#isLong ? [] : rows.map((row) => rowView(row, this.#isThree))));
    this.#drawWindow();
  }

  /** The height of all rows, in pixels. */
  get wholeHeight() {
    return this.#isLong ? this.#rows.length * this.#rowHeight : this.#inner.offsetHeight;
  }

  get #isLong() {
    return this.#rows.length > MOST_DRAWN;
  }

  get #rowHeight() {
    return this.#isThree ? HIGH_ROW : LOW_ROW;
  }

  #drawWindow() {
    if (!this.#isLong) return;
    const { scrollTop: top, clientHeight: height } = this.element;
    const wanted = rowWindow({ top, height, row: this.#rowHeight, count: this.#rows.length }, this.#drawn);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    const { first, end } = wanted;
    const drawn = this.#rows.slice(first, end).map((row) => rowView(row, this.#isThree));
    drawn.forEach((element, place) => {
      element.style.height = `${this.#rowHeight}px`;
      element.style.top = `${(first + place) * this.#rowHeight}px`;
    });
    this.#inner.replaceChildren(...drawn);
  }
}
