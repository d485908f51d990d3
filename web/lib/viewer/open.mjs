// @ts-check
/** The full-screen viewer of sheets: one at a time, over everything else. */
import { loadStyles, make } from "../dom.mjs";
import { setting } from "../setting.mjs";
import { Bar } from "./bar.mjs";
import { CompareView } from "./compare_view.mjs";
import { helpOf } from "./help.mjs";
import { keysOf } from "./keys.mjs";
import { editCell } from "./label_editor.mjs";
import { panelOf } from "./panel.mjs";
import { Rail } from "./rail.mjs";
import { Saves } from "./saves.mjs";
import { SheetView } from "./sheet_view.mjs";
import { State } from "./state.mjs";
import { Status } from "./status.mjs";
import { WallView } from "./wall_view.mjs";

/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./state.mjs").Mode} Mode */
/**
 * @typedef {object} Edits how labels are corrected
 * @property {(sheet: Sheet) => string} problem why they cannot be, with the cure; empty when they can
 * @property {(sheet: Sheet, cell: Cell, text: string) => boolean} change answers whether it was done
 * @property {() => unknown} queue runs the workflow again
 */

/** @type {Viewer | null} */
let open = null;

/**
 * Opens the viewer, or turns the open one to these sheets.
 * @param {object} given
 * @param {Sheet[]} given.sheets each with at least one page
 * @param {{sheet?: number, page?: number}} [given.start]
 * @param {Edits | null} [given.edits]
 * @returns {Viewer}
 */
export function openViewer({ sheets, start = {}, edits = null }) {
  open?.close();
  loadStyles();
  open = new Viewer(new State(sheets, start), edits);
  return open;
}

export class Viewer {
  /**
   * @param {State} state
   * @param {Edits | null} edits
   */
  constructor(state, edits) {
    this.state = state;
    this.edits = edits;
    this.bar = new Bar(this);
    this.rail = new Rail(this);
    this.sheet = new SheetView(this);
    this.views = { sheet: this.sheet, cells: new WallView(this), compare: new CompareView(this) };
    this.main = make("div", { cls: "clip-grid-main" }, this.rail.element, ...Object.values(this.views).map((view) => view.element));
    this.panel = make("aside", { cls: "clip-grid-panel", attrs: { "aria-label": "What is known of the cell" } });
    this.status = new Status();
    this.saves = new Saves(this.state, (text) => this.say(text));
    this.dialog = make("dialog", { cls: `clip-grid clip-grid-viewer clip-grid-on-${setting("ClipGrid.ViewerBackground", "theme")}`, attrs: { "aria-label": "Sheet viewer" } },
      this.bar.element, make("div", { cls: "clip-grid-body" }, this.main, this.panel), this.status.element);
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("cancel", (event) => event.target === this.dialog && this.back(event));
    this.dialog.addEventListener("close", () => this.closed());
    for (const name of ["keyup", "keypress", "paste", "copy", "contextmenu"]) this.dialog.addEventListener(name, (event) => event.stopPropagation());
    this.outside = (/** @type {KeyboardEvent} */ event) => this.dialog.contains(/** @type {Node} */ (event.target)) || this.key(event);
    window.addEventListener("keydown", this.outside, true);
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.update();
    this.view.focus();
  }

  get view() {
    return this.views[this.state.mode];
  }

  /** Shows what the state says, everywhere. */
  update() {
    for (const view of Object.values(this.views)) view.element.hidden = view !== this.view;
    this.bar.update();
    this.rail.update();
    this.view.update();
    this.panel.replaceChildren(...panelOf(this));
    // an element that was replaced takes the focus with it, and the keys would go to ComfyUI
    if (!this.dialog.contains(document.activeElement)) this.view.focus();
  }

  /** @param {Cell | null} cell */
  look(cell) {
    this.state.look(cell);
    this.update();
  }

  /** @param {Cell} cell */
  pin(cell) {
    this.state.togglePin(cell);
    this.update();
  }

  /** @param {Cell} cell */
  choose(cell) {
    this.state.toggleChosen(cell);
    this.update();
    this.say(["No cell is chosen", "One cell is chosen: choose another, then press c", "Two cells are chosen: press c to compare them"][this.state.chosen.length]);
  }

  /** @param {Mode} mode */
  go(mode) {
    this.views.compare.leave();
    this.state.mode = mode;
    this.update();
    if (this.state.cell) this.view.reveal(this.state.cell);
    this.view.focus();
  }

  /** @param {number} steps */
  turn(steps) {
    this.turnTo(this.state.place + steps);
  }

  /** @param {number} place */
  turnTo(place) {
    if (!this.state.turnTo(place)) return;
    this.update();
    const [first] = this.state.cells;
    if (first) this.view.reveal(first);
  }

  /** @param {Cell} cell */
  edit(cell) {
    return editCell(this, cell);
  }

  togglePanel() {
    this.panel.hidden = !this.panel.hidden;
  }

  help() {
    const shown = this.dialog.querySelector(".clip-grid-help");
    if (shown) return this.closeHelp(shown);
    const help = helpOf(() => this.closeHelp(help));
    this.dialog.append(help);
    help.querySelector("button")?.focus();
  }

  /** @param {Element} help */
  closeHelp(help) {
    help.remove();
    this.view.focus();
  }

  /** @param {string} text */
  say(text) {
    this.status.say(text);
  }

  /** @param {number} scale */
  showZoom(scale) {
    this.bar?.showZoom(scale);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    // ComfyUI listens to keys on the window: Delete would delete nodes, also while the focus is on its way round
    event.stopPropagation();
    if (event.key === "Escape") return this.back(event);
    if (this.dialog.querySelector(".clip-grid-help") && event.key !== "?") return;
    if (keysOf(event, this)) event.preventDefault();
  }

  /**
   * One step back: out of the help, out of the comparison, off the pinned cell, out of the viewer.
   * @param {Event} event
   */
  back(event) {
    event.preventDefault();
    const help = this.dialog.querySelector(".clip-grid-help");
    if (help) this.closeHelp(help);
    else if (this.state.mode === "compare") this.go("cells");
    else if (this.state.pinned) this.look(null);
    else this.close();
  }

  close() {
    this.dialog.close();
  }

  closed() {
    for (const view of Object.values(this.views)) view.close();
    this.status.clear();
    window.removeEventListener("keydown", this.outside, true);
    this.dialog.remove();
    if (open === this) open = null;
  }
}
