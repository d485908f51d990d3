// @ts-check
/** The page as a whole, to zoom and pan, with the cell under the pointer outlined. */
import { make } from "../dom.mjs";
import { cellAt, centre, neighbour } from "./boxes.mjs";
import { Marks } from "./marks.mjs";
import { PagePicture } from "./page_picture.mjs";
import { followPointers } from "./pointers.mjs";
import { centred, fitted, moved, onPage, revealing, zoomed } from "./zoom.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */

/** What an arrow key moves the page by, in pixels of the screen. */
const STEP = 80;
const ARROWS = { ArrowLeft: { x: -1, y: 0 }, ArrowRight: { x: 1, y: 0 }, ArrowUp: { x: 0, y: -1 }, ArrowDown: { x: 0, y: 1 } };

export class SheetView {
  /** @type {Page | null} */
  page = null;
  view = { scale: 1, x: 0, y: 0 };
  isFitted = true;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.picture = new PagePicture(({ width, height }) => this.learn(width, height));
    this.marks = new Marks();
    const attrs = { tabindex: 0, role: "group", "aria-label": "The sheet: drag to move it, turn the wheel to zoom" };
    this.element = make("div", { cls: "clip-grid-stage", attrs }, this.picture.element, this.marks.tags, this.marks.outline, this.picture.message);
    followPointers(this.element, {
      pan: (by) => this.set(moved(this.view, by, this.size, this.window)),
      zoom: (point, factor) => this.zoom(factor, point),
      click: (point, event) => this.click(point, event),
      over: (point) => this.over(point),
    });
    this.element.addEventListener("dblclick", () => viewer.state.cell && viewer.edit(viewer.state.cell));
    this.resized = new ResizeObserver(() => this.fitAgain());
    this.resized.observe(this.element);
  }

  close() {
    this.resized.disconnect();
  }

  get window() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  get size() {
    return { width: this.page?.width || 1, height: this.page?.height || 1 };
  }

  /** Shows what the state says. */
  update() {
    const { page } = this.viewer.state;
    if (page !== this.page) this.show(page);
    this.draw();
  }

  /** @param {Page} page */
  show(page) {
    const same = this.page && this.page.width === page.width && this.page.height === page.height;
    this.page = page;
    if (!same) this.fit();
    this.picture.show(page);
  }

  /**
   * The size of a page that no report tells.
   * @param {number} width
   * @param {number} height
   */
  learn(width, height) {
    if (this.page && !this.page.width) [this.page.width, this.page.height, this.isFitted] = [width, height, true];
    this.fitAgain();
  }

  fit() {
    this.set(fitted(this.size, this.window));
    this.isFitted = true;
  }

  fitAgain() {
    if (this.isFitted) this.fit();
    else this.draw();
  }

  /** One pixel of the page for one of the screen. */
  fullSize() {
    const { width, height } = this.window;
    this.zoom(1 / devicePixelRatio / this.view.scale, { x: width / 2, y: height / 2 });
    if (this.size.width * this.view.scale <= width && this.size.height * this.view.scale <= height) {
      this.set(centred(this.size, this.window, this.view.scale));
    }
  }

  /**
   * @param {number} factor
   * @param {{x: number, y: number}} [point]
   */
  zoom(factor, point = this.middle()) {
    this.set(zoomed(this.view, point, factor, this.size, this.window));
  }

  /** Where the keyboard zooms to: the cell that is looked at, or the middle. */
  middle() {
    const { cell } = this.viewer.state;
    const { width, height } = this.window;
    if (!cell) return { x: width / 2, y: height / 2 };
    const { x, y } = centre(cell.box);
    return { x: this.view.x + x * this.view.scale, y: this.view.y + y * this.view.scale };
  }

  /** @param {{scale: number, x: number, y: number}} view */
  set(view) {
    this.view = view;
    this.isFitted = false;
    this.draw();
  }

  draw() {
    const { scale, x, y } = this.view;
    const { width, height } = this.size;
    const { style, classList } = this.picture.element;
    [style.width, style.height] = [`${width}px`, `${height}px`];
    style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    classList.toggle("clip-grid-pixels", scale * devicePixelRatio >= 3);
    this.marks.draw(this.viewer.state, this.view);
    this.viewer.showZoom(scale * devicePixelRatio);
    this.picture.wantDetail(scale * devicePixelRatio);
  }

  /** @param {{x: number, y: number} | null} point */
  cellAt(point) {
    return point ? cellAt(this.viewer.state.cells, onPage(this.view, point)) ?? null : null;
  }

  /** @param {{x: number, y: number} | null} point */
  over(point) {
    const { state } = this.viewer;
    // the pointer leaves the stage when another view covers it
    if (this.viewer.view !== this) return;
    const cell = this.cellAt(point);
    if (!state.pinned && cell !== state.cell) this.viewer.look(cell);
  }

  /**
   * @param {{x: number, y: number}} point
   * @param {PointerEvent} event
   */
  click(point, event) {
    const cell = this.cellAt(point);
    if (!cell) return this.viewer.look(null);
    if (event.ctrlKey || event.metaKey || event.shiftKey) return this.viewer.choose(cell);
    this.viewer.pin(cell);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was one of this view's
   */
  key(event) {
    const step = ARROWS[/** @type {keyof ARROWS} */ (event.key)];
    if (step && event.shiftKey) this.set(moved(this.view, { x: -step.x * STEP, y: -step.y * STEP }, this.size, this.window));
    else if (step) this.walk(step);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.fullSize();
    else return false;
    return true;
  }

  /** @param {{x: number, y: number}} step */
  walk(step) {
    const { state } = this.viewer;
    const next = state.cell && state.cell.page === state.page.number ? neighbour(state.cells, state.cell, step) : state.cells[0];
    if (!next) return;
    this.viewer.look(next);
    this.reveal(next);
  }

  /** @param {Cell} cell */
  reveal(cell) {
    if (cell !== this.viewer.state.cell) return;
    const fitting = this.isFitted;
    this.set(revealing(this.view, cell.box, this.window));
    this.isFitted = fitting;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /** Where the cell that is looked at is on the screen. */
  anchor() {
    return this.marks.outline.getBoundingClientRect();
  }
}
