// @ts-check
/** What the viewer shows: which sheet, page and cell, and which cells are selected for comparison. Pure. */

/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {"sheet" | "cells" | "compare"} Mode */
/** @typedef {{sheet: number, page: number}} Place of a page */

export class State {
  /** @type {Mode} */
  mode = "sheet";
  /** @type {Cell | null} the cell that the panel is about */
  cell = null;
  /** Whether that cell stays when the pointer moves to another. */
  pinned = false;
  /** @type {Cell[]} at most two, to be compared */
  selected = [];
  /** @type {Cell[]} the cells in the order in which the user sees them */
  order;

  /**
   * @param {Sheet[]} sheets at least one, each with a page
   * @param {Partial<Place>} [start]
   */
  constructor(sheets, { sheet = 0, page = 0 } = {}) {
    this.sheets = sheets;
    this.places = placesOf(sheets);
    this.place = Math.max(
      0,
      this.places.findIndex((at) => at.sheet === sheet && at.page === page),
    );
    this.order = this.sheet.cells;
  }

  /**
   * Show what another run made of the same pictures, at the same place.
   * @param {Sheet[]} sheets at least one, each with a page
   */
  replaceSheets(sheets) {
    this.sheets = sheets;
    this.places = placesOf(sheets);
    this.place = Math.min(this.place, this.places.length - 1);
    this.order = this.sheet.cells;
    const same = (/** @type {Cell} */ { index }) => this.order.filter((cell) => cell.index === index);
    this.selected = this.selected.flatMap(same);
    this.cell = this.cell && (same(this.cell)[0] ?? null);
    this.pinned &&= this.cell !== null;
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
   * Show another page.
   * @param {number} place counted over all sheets
   * @returns {boolean} whether it is another one
   */
  goToPage(place) {
    const next = Math.max(0, Math.min(place, this.places.length - 1));
    if (next === this.place) return false;
    const before = this.sheet;
    this.place = next;
    if (this.sheet !== before) [this.cell, this.selected, this.order] = [null, [], this.sheet.cells];
    if (this.cell?.page !== this.page.number) [this.cell, this.pinned] = [null, false];
    return true;
  }

  /**
   * Show a cell in the panel, and the page that it is on.
   * @param {Cell | null} cell
   */
  show(cell) {
    if (cell !== this.cell) this.pinned = false;
    this.cell = cell;
    if (cell && cell.page !== this.page.number) this.goToPage(this.place + cell.page - this.page.number);
  }

  /** @param {Cell} cell */
  togglePin(cell) {
    const pinned = !(this.pinned && this.cell === cell);
    this.show(cell);
    this.pinned = pinned;
  }

  /**
   * Select a cell for the comparison, or no longer; a third one replaces the first.
   * @param {Cell} cell
   */
  toggleSelected(cell) {
    const rest = this.selected.filter((one) => one !== cell);
    this.selected = rest.length < this.selected.length ? rest : [...rest, cell].slice(-2);
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
   * The two cells to compare: those selected, else this one with the next. Null when there are no two.
   * @returns {[Cell, Cell] | null}
   */
  pair() {
    const first = this.selected[0] ?? this.cell ?? this.order[0];
    if (!first) return null;
    const at = this.order.indexOf(first);
    const second = this.selected[1] ?? this.order[at + 1] ?? this.order[at - 1];
    return second ? [first, second] : null;
  }
}

/**
 * All pages of all sheets.
 * @param {Sheet[]} sheets
 * @returns {Place[]}
 */
function placesOf(sheets) {
  return sheets.flatMap((one, i) => one.pages.map((_, number) => ({ sheet: i, page: number })));
}
