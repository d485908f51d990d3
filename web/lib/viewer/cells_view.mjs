// @ts-check
/** The view of all cells of a sheet side by side, to filter and to sort. */
import { make } from "../dom.mjs";
import { fileUrl, loadImage, messageOf } from "../files.mjs";
import { text } from "../texts.mjs";
import { pictureElement, imageFilesToCut } from "./page_image.mjs";
import { scoreText } from "./panel.mjs";
import { filterCells, sortCells, sortKey } from "./query.mjs";
import { CellsToolbar } from "./toolbars.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */

/** Of more cells, those off the screen are laid out when they scroll into view: opens sooner, scrolls less smoothly. */
const MANY = 1200;

export class CellsView {
  /** @type {Sheet | null} */
  #sheet = null;
  /** @type {Map<Cell, Tile>} */
  #tiles = new Map();
  /** @type {Map<Element, Cell>} */
  #cells = new Map();
  /** @type {Set<Cell | null | undefined>} the cells whose tiles are marked */
  #marked = new Set();

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.toolbar = new CellsToolbar({
      onQuery: () => this.#arrange(),
      onSize: (side) => this.element.style.setProperty("--clip-grid-tile", `${side}px`),
    });
    this.list = make("div", {
      cls: "clip-grid-cell-list",
      attrs: { role: "listbox", "aria-label": text("cells.list"), "aria-multiselectable": "true" },
    });
    this.message = make("p", { cls: "clip-grid-missing" });
    this.element = make("div", { cls: "clip-grid-cells" }, this.toolbar.element, this.list, this.message);
    this.list.addEventListener("click", (event) => this.#click(event));
    this.list.addEventListener("dblclick", (event) => this.#withCell(event, (cell) => viewer.edit(cell)));
    // pointermove, not pointerover: scrolling moves cells under a pointer that rests
    this.list.addEventListener(
      "pointermove",
      (event) => viewer.state.pinned || this.#withCell(event, (cell) => this.#show(cell)),
    );
    this.list.addEventListener("focusin", (event) => this.#withCell(event, (cell) => this.#show(cell)));
  }

  close() {}

  /** Show what the state says. */
  update() {
    const { sheet } = this.viewer.state;
    if (sheet !== this.#sheet) this.#open(sheet);
    this.#mark();
  }

  /** @param {Sheet} sheet */
  #open(sheet) {
    this.#sheet = sheet;
    this.toolbar.setCells(sheet.cells);
    for (const page of sheet.pages.filter(({ number }) => sheet.cells.some((cell) => cell.page === number))) {
      void this.#loadPage(sheet, page);
    }
    this.#tiles = new Map(sheet.cells.map((cell) => [cell, new Tile(cell, sheet.pages[cell.page])]));
    this.#cells = new Map([...this.#tiles].map(([cell, tile]) => [tile.element, cell]));
    this.list.classList.toggle("clip-grid-many", sheet.cells.length > MANY);
    this.#arrange();
  }

  /**
   * Load the image of a page for its cells: the one for the screen at once, the saved page when it is there.
   * @param {Sheet} sheet
   * @param {Page} page
   */
  async #loadPage(sheet, page) {
    const show = (/** @type {string} */ url) =>
      this.#sheet === sheet && this.element.style.setProperty(`--clip-grid-page-${page.number}`, `url("${url}")`);
    const files = imageFilesToCut(page);
    if (files[0]) show(fileUrl(files[0]));
    try {
      show((await loadImage([...files].reverse())).src);
    } catch (error) {
      this.viewer.showStatus(messageOf(error));
    }
  }

  /** Put the cells that pass the filter in their order. */
  #arrange() {
    const all = this.#sheet?.cells ?? [];
    const { order, isDescending, words } = this.toolbar;
    const { state } = this.viewer;
    state.order = sortCells(filterCells(all, words), order, isDescending);
    const hadFocus = this.list.contains(document.activeElement);
    const tiles = state.order.flatMap((cell) => this.#tiles.get(cell) ?? []);
    for (const tile of tiles) tile.showKey(order);
    this.list.replaceChildren(...tiles.map((tile) => tile.element));
    this.toolbar.showCount(state.order.length, all.length);
    this.message.textContent = state.order.length
      ? ""
      : all.length
        ? text("cells.none_left")
        : (state.sheet.notes[0] ?? text("cells.none"));
    this.#mark();
    if (hadFocus) this.focus();
  }

  /** Mark the cell of the panel and those that are selected; only tiles that change are touched. */
  #mark() {
    const { state } = this.viewer;
    const first = state.order.find((cell) => cell.page === state.page.number) ?? state.order[0];
    const tabStop = state.cell && state.order.includes(state.cell) ? state.cell : first;
    const marked = new Set([state.cell, tabStop, ...state.selected]);
    for (const cell of new Set([...this.#marked, ...marked])) {
      const tile = cell && this.#tiles.get(cell)?.element;
      if (!tile) continue;
      tile.classList.toggle("clip-grid-here", cell === state.cell);
      tile.classList.toggle("clip-grid-pinned", cell === state.cell && state.pinned);
      tile.setAttribute("aria-selected", String(state.selected.includes(cell)));
      tile.tabIndex = cell === tabStop ? 0 : -1;
    }
    this.#marked = marked;
  }

  /** @param {Cell} cell whose label has changed */
  showLabel(cell) {
    this.#tiles.get(cell)?.showLabel();
  }

  /** @param {Cell} cell */
  #show(cell) {
    if (cell !== this.viewer.state.cell) this.viewer.showCell(cell);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    this.#withCell(event, (cell) =>
      event.ctrlKey || event.metaKey || event.shiftKey ? this.viewer.select(cell) : this.viewer.pin(cell),
    );
  }

  /**
   * @param {Event} event
   * @param {(cell: Cell) => void} act
   */
  #withCell({ target }, act) {
    const tile = target instanceof Element && target.closest(".clip-grid-tile");
    const cell = tile && this.#cells.get(tile);
    if (cell) act(cell);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key is one of this view
   */
  key(event) {
    const steps = this.#stepsOf(event.key);
    if (steps) this.#go(steps);
    else if (event.key === "/") this.toolbar.filter.focus();
    else if (event.key === "r") this.toolbar.reverse();
    else if (event.key === "+" || event.key === "=") this.toolbar.resize(1.25);
    else if (event.key === "-") this.toolbar.resize(0.8);
    else return false;
    return true;
  }

  /** @param {string} key */
  #stepsOf(key) {
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const all = this.viewer.state.order.length;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -all, End: all };
    return steps[key] ?? 0;
  }

  /** @param {number} steps */
  #go(steps) {
    const next = this.viewer.state.step(this.viewer.state.cell, steps);
    if (next) this.#tiles.get(next)?.element.focus();
  }

  /** @param {Cell} cell */
  reveal(cell) {
    this.#tiles.get(cell)?.element.scrollIntoView({ block: "nearest" });
  }

  focus() {
    const tile = this.list.querySelector('[tabindex="0"]');
    const focused = tile instanceof HTMLElement ? tile : this.toolbar.filter;
    focused.focus({ preventScroll: true });
    tile?.scrollIntoView({ block: "nearest" });
  }

  /**
   * Where a cell is on the screen.
   * @param {Cell} cell
   */
  anchor(cell) {
    return (this.#tiles.get(cell)?.element ?? this.list).getBoundingClientRect();
  }
}

/** One cell: its picture and its label, and what it is sorted by. */
class Tile {
  #label = make("span", { cls: "clip-grid-tile-label" });
  #key = make("span", { cls: "clip-grid-tile-key" });

  /**
   * @param {Cell} cell
   * @param {Page} page
   */
  constructor(cell, page) {
    this.cell = cell;
    const frame = make(
      "div",
      { cls: "clip-grid-frame" },
      pictureElement(cell, page, `var(--clip-grid-page-${page.number})`),
    );
    this.element = make(
      "div",
      { cls: "clip-grid-tile", attrs: { role: "option", tabindex: -1 } },
      frame,
      make("div", { cls: "clip-grid-tile-line" }, this.#key, this.#label),
    );
    this.showLabel();
  }

  showLabel() {
    const label = this.cell.label || this.cell.file;
    this.#label.textContent = label;
    this.element.setAttribute("aria-label", label);
    this.element.classList.toggle("clip-grid-edited", this.cell.edited);
  }

  /**
   * Show the score or the value that the cells are sorted by.
   * @param {import("./query.mjs").Order} order
   */
  showKey(order) {
    const value = /^(scores|values)\./.test(order.id) ? sortKey(this.cell, order) : null;
    this.#key.textContent = value === null ? "" : order.id.startsWith("scores.") ? scoreText(value) : String(value);
  }
}
