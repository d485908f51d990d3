// @ts-check
/** All cells of a sheet side by side, to filter and to sort. */
import { make } from "../dom.mjs";
import { filterCells, ordersOf, sortCells } from "./choose.mjs";
import { absolute, entriesToCut, loadPicture } from "./pictures.mjs";
import { sentence } from "./facts.mjs";
import { tileOf } from "./tile.mjs";
import { WallBar } from "./wall_bar.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {ReturnType<typeof tileOf>} Tile */

/** Cells from which on those out of sight are laid out when they come into sight: opens sooner, scrolls less smoothly. */
const MANY = 1200;

export class WallView {
  /** @type {Sheet | null} */
  sheet = null;
  /** @type {Map<Cell, Tile>} */
  tiles = new Map();
  /** @type {Map<Element, Cell>} */
  cells = new Map();
  /** @type {Set<Cell | null | undefined>} */
  marked = new Set();

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.bar = new WallBar({ arrange: () => this.arrange(), resize: (side) => this.element.style.setProperty("--clip-grid-tile", `${side}px`) });
    this.wall = make("div", { cls: "clip-grid-wall", attrs: { role: "listbox", "aria-label": "Cells", "aria-multiselectable": "true" } });
    this.nothing = make("p", { cls: "clip-grid-missing" });
    this.element = make("div", { cls: "clip-grid-cells" }, this.bar.element, this.wall, this.nothing);
    this.wall.addEventListener("click", (event) => this.click(event));
    this.wall.addEventListener("dblclick", (event) => this.at(event, (cell) => viewer.edit(cell)));
    // pointermove, not pointerover: scrolling moves cells under a pointer that rests
    this.wall.addEventListener("pointermove", (event) => viewer.state.pinned || this.at(event, (cell) => cell !== viewer.state.cell && viewer.look(cell)));
    this.wall.addEventListener("focusin", (event) => this.at(event, (cell) => cell !== viewer.state.cell && viewer.look(cell)));
  }

  close() {}

  /** Shows what the state says. */
  update() {
    const { sheet } = this.viewer.state;
    if (sheet !== this.sheet) this.show(sheet);
    this.mark();
  }

  /** @param {Sheet} sheet */
  show(sheet) {
    this.sheet = sheet;
    this.bar.offer(ordersOf(sheet.cells));
    for (const page of sheet.pages.filter(({ number }) => sheet.cells.some((cell) => cell.page === number))) this.showPage(sheet, page);
    this.tiles = new Map(sheet.cells.map((cell) => [cell, tileOf(cell, sheet.pages[cell.page])]));
    this.cells = new Map([...this.tiles].map(([cell, tile]) => [tile, cell]));
    this.wall.classList.toggle("clip-grid-many", sheet.cells.length > MANY);
    this.arrange();
  }

  /**
   * The pictures of a page's cells: the one for the screen at once, the saved page when it is there.
   * @param {Sheet} sheet
   * @param {import("./sheets.mjs").Page} page
   */
  async showPage(sheet, page) {
    const show = (/** @type {string} */ url) => this.sheet === sheet && this.element.style.setProperty(`--clip-grid-page-${page.number}`, `url("${url}")`);
    const [first, ...whole] = entriesToCut(page);
    if (first) show(absolute(first));
    try {
      show((await loadPicture([...whole, first].filter(Boolean))).src);
    } catch (error) {
      this.viewer.say(sentence(/** @type {Error} */ (error).message));
    }
  }

  /** Puts the cells that pass the filter in their order. */
  arrange() {
    const all = this.sheet?.cells ?? [];
    const { order, descending, words } = this.bar;
    const { state } = this.viewer;
    state.order = sortCells(filterCells(all, words), order, descending);
    const hadFocus = this.wall.contains(document.activeElement);
    const tiles = state.order.map((cell) => /** @type {Tile} */ (this.tiles.get(cell)));
    for (const tile of tiles) tile.showKey(order);
    this.wall.replaceChildren(...tiles);
    this.bar.count(state.order.length, all.length);
    this.nothing.textContent = state.order.length ? "" : all.length ? "No cell has all these words." : state.sheet.notes[0] ?? "This sheet has no cells.";
    this.mark();
    if (hadFocus) this.focus();
  }

  /** Marks the cell that is looked at and those that are chosen; touches only tiles that change. */
  mark() {
    const { state } = this.viewer;
    const first = state.order.find((cell) => cell.page === state.page.number) ?? state.order[0];
    const stop = state.order.includes(/** @type {Cell} */ (state.cell)) ? state.cell : first;
    const marked = new Set([state.cell, stop, ...state.chosen]);
    for (const cell of new Set([...this.marked, ...marked])) {
      const tile = cell && this.tiles.get(cell);
      if (!tile) continue;
      tile.classList.toggle("clip-grid-here", cell === state.cell);
      tile.classList.toggle("clip-grid-pinned", cell === state.cell && state.pinned);
      tile.setAttribute("aria-selected", String(state.chosen.includes(cell)));
      tile.tabIndex = cell === stop ? 0 : -1;
    }
    this.marked = marked;
  }

  /** @param {Cell} cell */
  showLabel(cell) {
    this.tiles.get(cell)?.showLabel(cell);
  }

  /** @param {MouseEvent} event */
  click(event) {
    this.at(event, (cell) => (event.ctrlKey || event.metaKey || event.shiftKey ? this.viewer.choose(cell) : this.viewer.pin(cell)));
  }

  /**
   * @param {Event} event
   * @param {(cell: Cell) => void} act
   */
  at(event, act) {
    const tile = /** @type {Element} */ (event.target).closest(".clip-grid-tile");
    const cell = tile && this.cells.get(tile);
    if (cell) act(cell);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was one of this view's
   */
  key(event) {
    const steps = this.stepsOf(event.key);
    if (steps) this.walk(steps);
    else if (event.key === "/") this.bar.filter.focus();
    else if (event.key === "r") this.bar.turnAround();
    else if (event.key === "+" || event.key === "=") this.bar.grow(1.25);
    else if (event.key === "-") this.bar.grow(0.8);
    else return false;
    return true;
  }

  /** @param {string} key */
  stepsOf(key) {
    const across = getComputedStyle(this.wall).gridTemplateColumns.split(" ").length;
    const all = this.viewer.state.order.length;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -all, End: all };
    return steps[key] ?? 0;
  }

  /** @param {number} steps */
  walk(steps) {
    const next = this.viewer.state.step(this.viewer.state.cell, steps);
    if (next) this.tiles.get(next)?.focus();
  }

  /** @param {Cell} cell */
  reveal(cell) {
    this.tiles.get(cell)?.scrollIntoView({ block: "nearest" });
  }

  focus() {
    const tile = /** @type {HTMLElement | null} */ (this.wall.querySelector('[tabindex="0"]'));
    (tile ?? this.bar.filter).focus({ preventScroll: true });
    tile?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Cell} cell */
  anchor(cell) {
    return (this.tiles.get(cell) ?? this.wall).getBoundingClientRect();
  }
}
