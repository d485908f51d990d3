// @ts-check
/** What the viewer shows: which sheet, page and cell, and which cells are chosen for comparison. Pure. */

/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./sheets.mjs").Page} Page */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {"sheet" | "cells" | "compare"} Mode */

export class State {
  /** @type {Mode} */
  mode = "sheet";
  /** @type {Cell | null} the cell whose facts are shown */
  cell = null;
  /** Whether the pointer leaves the cell as it is. */
  pinned = false;
  /** @type {Cell[]} at most two, to be compared */
  chosen = [];
  /** @type {Cell[]} the cells in the order in which the user sees them */
  order = [];

  /**
   * @param {Sheet[]} sheets at least one, each with a page
   * @param {{sheet?: number, page?: number}} [start]
   */
  constructor(sheets, { sheet = 0, page = 0 } = {}) {
    this.sheets = sheets;
    this.places = sheets.flatMap((one, i) => one.pages.map((_, number) => ({ sheet: i, page: number })));
    this.place = Math.max(0, this.places.findIndex((at) => at.sheet === sheet && at.page === page));
    this.order = this.sheet.cells;
  }

  get sheet() {
    return this.sheets[this.places[this.place].sheet];
  }

  get page() {
    return this.sheet.pages[this.places[this.place].page];
  }

  /** The cells of the page. */
  get cells() {
    return this.sheet.cells.filter((cell) => cell.page === this.page.number);
  }

  /**
   * Show another page; answers whether it is one.
   * @param {number} place counted over all sheets
   */
  turnTo(place) {
    const next = Math.max(0, Math.min(place, this.places.length - 1));
    if (next === this.place) return false;
    const before = this.sheet;
    this.place = next;
    if (this.sheet !== before) [this.cell, this.chosen, this.order] = [null, [], this.sheet.cells];
    if (this.cell?.page !== this.page.number) [this.cell, this.pinned] = [null, false];
    return true;
  }

  /**
   * Show the facts of a cell, and the page that it is on.
   * @param {Cell | null} cell
   */
  look(cell) {
    if (cell !== this.cell) this.pinned = false;
    this.cell = cell;
    if (cell && cell.page !== this.page.number) this.turnTo(this.place + cell.page - this.page.number);
  }

  /** @param {Cell} cell */
  togglePin(cell) {
    const pinned = !(this.pinned && this.cell === cell);
    this.look(cell);
    this.pinned = pinned;
  }

  /**
   * Choose a cell for the comparison, or no longer; of three the first goes.
   * @param {Cell} cell
   */
  toggleChosen(cell) {
    const rest = this.chosen.filter((one) => one !== cell);
    this.chosen = rest.length < this.chosen.length ? rest : [...rest, cell].slice(-2);
  }

  /**
   * The cell that many places on, in the order of the user; at the ends the last one.
   * @param {Cell | null} cell
   * @param {number} steps
   * @returns {Cell | null}
   */
  step(cell, steps) {
    const at = cell ? this.order.indexOf(cell) : -1;
    const next = at < 0 ? 0 : Math.max(0, Math.min(at + steps, this.order.length - 1));
    return this.order[next] ?? null;
  }

  /**
   * The two cells to compare: those chosen, else this one with the next. Null when there are no two.
   * @returns {[Cell, Cell] | null}
   */
  pair() {
    const first = this.chosen[0] ?? this.cell ?? this.order[0];
    if (!first) return null;
    const at = this.order.indexOf(first);
    const second = this.chosen[1] ?? this.order[at + 1] ?? this.order[at - 1];
    return second ? [first, second] : null;
  }
}
