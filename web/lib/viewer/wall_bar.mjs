// @ts-check
/** The bar over the wall of cells: filter, order, size. */
import { make } from "../dom.mjs";
import { ON_SHEET } from "./choose.mjs";

/** @typedef {import("./choose.mjs").Order} Order */

export class WallBar {
  descending = false;
  /** @type {Order[]} */
  orders = [ON_SHEET];

  /**
   * @param {object} answers
   * @param {() => void} answers.arrange the filter or the order has changed
   * @param {(side: number) => void} answers.resize
   */
  constructor({ arrange, resize }) {
    this.arrange = arrange;
    this.filter = make("input", {
      cls: "clip-grid-filter",
      attrs: { type: "search", placeholder: "Filter: words, or seed:42", "aria-label": "Filter the cells by label, file, values and scores" },
      on: { input: arrange },
    });
    this.select = make("select", { attrs: { "aria-label": "Sort by" }, on: { change: arrange } });
    this.direction = make("button", { text: "↑", title: "Ascending or descending (r)", on: { click: () => this.turnAround() } });
    this.size = make("input", {
      attrs: { type: "range", min: 64, max: 400, value: 160, "aria-label": "Size of the cells" },
      on: { input: () => resize(Number(this.size.value)) },
    });
    this.counted = make("span", { cls: "clip-grid-quiet", attrs: { role: "status" } });
    const [sort, size] = [make("label", { text: "Sort by " }, this.select), make("label", { text: "Size " }, this.size)];
    this.element = make("div", { cls: "clip-grid-wall-bar" }, this.filter, sort, this.direction, size, this.counted);
  }

  get words() {
    return this.filter.value;
  }

  get order() {
    return this.orders.find(({ id }) => id === this.select.value) ?? ON_SHEET;
  }

  /** @param {Order[]} orders what these cells can be sorted by */
  offer(orders) {
    this.orders = orders;
    this.select.replaceChildren(...orders.map(({ id, name }) => make("option", { text: name, attrs: { value: id } })));
  }

  /**
   * @param {number} shown
   * @param {number} all
   */
  count(shown, all) {
    this.counted.textContent = shown < all ? `${shown} of ${all}` : `${all} cells`;
  }

  turnAround() {
    this.descending = !this.descending;
    this.direction.textContent = this.descending ? "↓" : "↑";
    this.arrange();
  }

  /** @param {number} factor */
  grow(factor) {
    this.size.value = String(Number(this.size.value) * factor);
    this.size.dispatchEvent(new Event("input"));
  }
}
