// @ts-check
/** The view of a whole page, to zoom and pan, with a frame around the cell that the panel is about. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { cellAt, centre, centred, fitted, moved, neighbour, onPage, revealing, zoomed } from "./geometry.mjs";
import { PageImage } from "./page_image.mjs";
import { followPointers } from "./pointers.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./geometry.mjs").Point} Point */
/** @typedef {import("./geometry.mjs").View} View */
/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */

/** Pixels of the screen by which an arrow key moves the page. */
const STEP = 80;
/** @type {Record<string, Point>} */
const ARROWS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
/** Pixels of the screen for one of the page from which on the image is not smoothed. */
const SHARP_SCALE = 3;

export class SheetView {
  /** @type {Page | null} */
  #page = null;
  /** @type {View} */
  #view = { scale: 1, x: 0, y: 0 };
  /** Whether the page is shown whole, whatever the size of the window. */
  #isFitted = true;
  #image = new PageImage(({ width, height }) => this.#onImage(width, height));
  #outline = make("div", { cls: "clip-grid-outline" });
  /** New labels of cells, over the image, which has the old ones. */
  #tags = make("div", { cls: "clip-grid-tags" });
  #resized = new ResizeObserver(() => this.#fitAgain());

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const attrs = { tabindex: 0, role: "group", "aria-label": text("viewer.sheet_hint") };
    this.element = make(
      "div",
      { cls: "clip-grid-stage", attrs },
      this.#image.element,
      this.#tags,
      this.#outline,
      this.#image.message,
    );
    followPointers(this.element, {
      pan: (by) => this.#setView(moved(this.#view, by, this.#pageSize, this.#window)),
      zoom: (point, factor) => this.zoom(factor, point),
      click: (point, event) => this.#click(point, event),
      hover: (point) => this.#hover(point),
    });
    this.element.addEventListener("dblclick", () => viewer.state.cell && viewer.edit(viewer.state.cell));
    this.#resized.observe(this.element);
  }

  close() {
    this.#resized.disconnect();
  }

  get #window() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  get #pageSize() {
    return { width: this.#page?.width || 1, height: this.#page?.height || 1 };
  }

  /** Show what the state says. */
  update() {
    const { page } = this.viewer.state;
    if (page !== this.#page) this.#show(page);
    this.#draw();
  }

  /** @param {Page} page */
  #show(page) {
    const isSameSize = this.#page?.width === page.width && this.#page.height === page.height;
    this.#page = page;
    if (!isSameSize) this.fit();
    void this.#image.show(page);
  }

  /**
   * The image is loaded; it tells the size of a page that has no report.
   * @param {number} width
   * @param {number} height
   */
  #onImage(width, height) {
    if (this.#page && !this.#page.width) [this.#page.width, this.#page.height, this.#isFitted] = [width, height, true];
    this.#fitAgain();
  }

  /** Show the whole page. */
  fit() {
    this.#setView(fitted(this.#pageSize, this.#window));
    this.#isFitted = true;
  }

  #fitAgain() {
    if (this.#isFitted) this.fit();
    else this.#draw();
  }

  /** Show one pixel of the page as one of the screen. */
  fullSize() {
    const { width, height } = this.#window;
    this.zoom(1 / devicePixelRatio / this.#view.scale, { x: width / 2, y: height / 2 });
    const { scale } = this.#view;
    if (this.#pageSize.width * scale <= width && this.#pageSize.height * scale <= height) {
      this.#setView(centred(this.#pageSize, this.#window, scale));
    }
  }

  /**
   * @param {number} factor
   * @param {Point} [point] what stays where it is
   */
  zoom(factor, point = this.#focusPoint()) {
    this.#setView(zoomed(this.#view, point, factor, this.#pageSize, this.#window));
  }

  /** @returns {Point} where the keyboard zooms to: the cell of the panel, or the middle */
  #focusPoint() {
    const { cell } = this.viewer.state;
    const { width, height } = this.#window;
    if (!cell) return { x: width / 2, y: height / 2 };
    const { x, y } = centre(cell.box);
    return { x: this.#view.x + x * this.#view.scale, y: this.#view.y + y * this.#view.scale };
  }

  /** @param {View} view */
  #setView(view) {
    this.#view = view;
    this.#isFitted = false;
    this.#draw();
  }

  #draw() {
    const { scale, x, y } = this.#view;
    const { width, height } = this.#pageSize;
    const { style, classList } = this.#image.element;
    const screenScale = scale * devicePixelRatio;
    [style.width, style.height] = [`${width}px`, `${height}px`];
    style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    classList.toggle("clip-grid-pixels", screenScale >= SHARP_SCALE);
    this.#drawMarks();
    this.viewer.showZoom(screenScale);
    void this.#image.showDetail(screenScale);
  }

  #drawMarks() {
    const { cell, cells, page, pinned } = this.viewer.state;
    this.#outline.hidden = cell?.page !== page.number;
    if (cell) placeOver(this.#outline, cell, this.#view);
    this.#outline.classList.toggle("clip-grid-pinned", pinned);
    const tags = cells
      .filter((one) => one.edited)
      .map((one) =>
        placeOver(make("div", {}, make("span", { text: one.label || text("cell.no_label") })), one, this.#view),
      );
    if (tags.length || this.#tags.childElementCount) this.#tags.replaceChildren(...tags);
  }

  /** @param {Point} point */
  #cellAt(point) {
    return cellAt(this.viewer.state.cells, onPage(this.#view, point)) ?? null;
  }

  /** @param {Point | null} point */
  #hover(point) {
    const { state } = this.viewer;
    // the pointer also leaves when another view covers this one
    if (this.viewer.view !== this) return;
    const cell = point && this.#cellAt(point);
    // on its way to the buttons of the panel the pointer leaves the cell
    if (cell && !state.pinned && cell !== state.cell) this.viewer.showCell(cell);
  }

  /**
   * @param {Point} point
   * @param {PointerEvent} event
   */
  #click(point, event) {
    const cell = this.#cellAt(point);
    if (!cell) return this.viewer.showCell(null);
    if (event.ctrlKey || event.metaKey || event.shiftKey) return this.viewer.select(cell);
    return this.viewer.pin(cell);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key is one of this view
   */
  key(event) {
    const step = ARROWS[event.key];
    if (step && event.shiftKey) {
      this.#setView(moved(this.#view, { x: -step.x * STEP, y: -step.y * STEP }, this.#pageSize, this.#window));
    } else if (step) this.#goToNeighbour(step);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.fullSize();
    else return false;
    return true;
  }

  /** @param {Point} step */
  #goToNeighbour(step) {
    const { cell, cells, page } = this.viewer.state;
    const next = cell && cell.page === page.number ? neighbour(cells, cell, step) : cells[0];
    if (!next) return;
    this.viewer.showCell(next);
    this.reveal(next);
  }

  /** @param {Cell} cell */
  reveal(cell) {
    if (cell !== this.viewer.state.cell) return;
    const wasFitted = this.#isFitted;
    this.#setView(revealing(this.#view, cell.box, this.#window));
    this.#isFitted = wasFitted;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /** Where the cell of the panel is on the screen. */
  anchor() {
    return this.#outline.getBoundingClientRect();
  }
}

/**
 * @param {HTMLElement} element
 * @param {Cell} cell
 * @param {View} view
 */
function placeOver(element, { box }, view) {
  const [left, top, width, height] = box.map((part) => part * view.scale);
  const { style } = element;
  style.transform = `translate(${view.x + left}px, ${view.y + top}px)`;
  [style.width, style.height] = [`${width}px`, `${height}px`];
  return element;
}
