// @ts-check
/** The full-screen viewer of sheets: one at a time, over everything else. */
import { app } from "../../../../scripts/app.js";
import { copyText, keepEvents, loadStyles, make } from "../dom.mjs";
import { fetchWhole, messageOf } from "../files.mjs";
import { setting } from "../front_end.mjs";
import { editCell } from "../labels/cell_editor.mjs";
import { text } from "../texts.mjs";
import { CellsView } from "./cells_view.mjs";
import { CompareView } from "./compare_view.mjs";
import { handleKey, helpElement } from "./keys.mjs";
import { saveCell, saveFile } from "./page_image.mjs";
import { panelContent } from "./panel.mjs";
import { SheetView } from "./sheet_view.mjs";
import { State } from "./state.mjs";
import { PageList, Toolbar } from "./toolbars.mjs";

/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("../files.mjs").FileEntry} FileEntry */
/** @typedef {import("./state.mjs").Mode} Mode */
/** @typedef {import("./state.mjs").Place} Place */
/**
 * @typedef {object} Edits how labels are edited
 * @property {(sheet: Sheet) => string} problem why they cannot be edited, and what to do; empty if they can
 * @property {(sheet: Sheet, cell: Cell, label: string) => boolean} change returns whether it was done
 * @property {() => Promise<unknown>} queue runs the workflow again
 */

/** Milliseconds that a status text stays. */
const STATUS_TIME = 6000;
/** Characters of a copied text that the status shows. */
const COPIED_LENGTH = 60;

/** @type {Viewer | null} */
let opened = null;

/**
 * Open the viewer; one that is open is closed.
 * @param {Sheet[]} sheets each with at least one page
 * @param {Partial<Place>} start
 * @param {Edits | null} edits null if labels cannot be edited here
 * @returns {Viewer}
 */
export function openViewer(sheets, start, edits) {
  opened?.close();
  loadStyles();
  opened = new Viewer(new State(sheets, start), edits);
  return opened;
}

export class Viewer {
  /** Whether the workflow was queued here, and the new sheets are to be shown. */
  isWaiting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #statusTimer;

  /**
   * @param {State} state
   * @param {Edits | null} edits
   */
  constructor(state, edits) {
    this.state = state;
    this.edits = edits;
    this.toolbar = new Toolbar(this);
    this.pageList = new PageList(this);
    this.views = { sheet: new SheetView(this), cells: new CellsView(this), compare: new CompareView(this) };
    this.panel = make("aside", { cls: "clip-grid-panel", attrs: { "aria-label": text("viewer.panel") } });
    // ComfyUI's own notices would be behind the viewer
    this.status = make("div", { cls: "clip-grid-status", attrs: { role: "status", "aria-live": "polite" } });
    const main = make(
      "div",
      { cls: "clip-grid-main" },
      this.pageList.element,
      ...Object.values(this.views).map((view) => view.element),
    );
    const cls = `clip-grid clip-grid-viewer clip-grid-on-${setting("ClipGrid.ViewerBackground", "theme")}`;
    this.dialog = make(
      "dialog",
      { cls, attrs: { "aria-label": text("viewer.title") } },
      this.toolbar.element,
      make("div", { cls: "clip-grid-body" }, main, this.panel),
      this.status,
    );
    this.dialog.addEventListener("keydown", this.#onKey);
    this.dialog.addEventListener("cancel", (event) => event.target === this.dialog && this.#goBack(event));
    this.dialog.addEventListener("close", () => this.#onClose());
    keepEvents(this.dialog, "keyup", "keypress", "paste", "copy", "contextmenu");
    window.addEventListener("keydown", this.#onKeyOutside, true);
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.update();
    this.view.focus();
  }

  get view() {
    return this.views[this.state.mode];
  }

  /** Show what the state says, everywhere. */
  update() {
    for (const view of Object.values(this.views)) view.element.hidden = view !== this.view;
    this.toolbar.update();
    this.pageList.update();
    this.view.update();
    this.panel.replaceChildren(...panelContent(this));
    // an element that was replaced takes the focus with it, and the keys would go to ComfyUI
    if (!this.dialog.contains(document.activeElement)) this.view.focus();
  }

  /** @param {Cell | null} cell */
  showCell(cell) {
    this.state.show(cell);
    this.update();
  }

  /** @param {Cell} cell */
  pin(cell) {
    this.state.togglePin(cell);
    this.update();
  }

  /**
   * Select a cell for the comparison, or no longer.
   * @param {Cell} cell
   */
  select(cell) {
    this.state.toggleSelected(cell);
    this.update();
    this.showStatus(
      [text("compare.selected_none"), text("compare.selected_one"), text("compare.selected_two")][
        this.state.selected.length
      ],
    );
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.views.compare.leave();
    this.state.mode = mode;
    this.update();
    if (this.state.cell) this.view.reveal(this.state.cell);
    this.view.focus();
  }

  /** @param {number} steps */
  turnPage(steps) {
    this.goToPage(this.state.place + steps);
  }

  /** @param {number} place counted over all sheets */
  goToPage(place) {
    if (!this.state.goToPage(place)) return;
    this.update();
    const [first] = this.state.cells;
    if (first) this.view.reveal(first);
  }

  /** @param {Cell} cell */
  edit(cell) {
    return editCell(this, cell);
  }

  /** @param {Cell} cell */
  async saveCell(cell) {
    try {
      await saveCell(cell, this.state.sheet.pages[cell.page]);
    } catch (error) {
      this.showStatus(messageOf(error));
    }
  }

  savePage() {
    const file = this.state.page.file ?? this.state.page.shown;
    if (file) saveFile(file);
    else this.showStatus(text("save.no_file"));
  }

  saveData() {
    if (this.state.sheet.sidecar) saveFile(this.state.sheet.sidecar);
    else this.showStatus(text("save.no_data"));
  }

  /** Run the workflow again; the new sheets are shown when they are made. */
  async queue() {
    if (!this.edits) return;
    this.isWaiting = true;
    this.showStatus(text("viewer.queued"));
    try {
      await this.edits.queue();
    } catch (error) {
      this.isWaiting = false;
      this.showStatus(messageOf(error));
    }
  }

  /**
   * Show what another run made of the same pictures, at the same place.
   * @param {Sheet[]} sheets at least one, each with a page
   */
  showSheets(sheets) {
    this.isWaiting = false;
    this.state.replaceSheets(sheets);
    const pageList = new PageList(this);
    this.pageList.element.replaceWith(pageList.element);
    this.pageList = pageList;
    this.update();
    this.showStatus(text("viewer.updated"));
  }

  /**
   * Open the workflow that a picture holds; ComfyUI says so where it holds none.
   * @param {FileEntry} original
   */
  async openWorkflow(original) {
    try {
      const file = await fetchWhole(original);
      this.close();
      await app.handleFile(file);
    } catch (error) {
      this.showStatus(messageOf(error));
    }
  }

  /** @param {string} value */
  async copy(value) {
    const isCopied = await copyText(value);
    this.showStatus(isCopied ? text("viewer.copied", { value: shortened(value) }) : text("viewer.not_copied"));
  }

  togglePanel() {
    this.panel.hidden = !this.panel.hidden;
  }

  toggleHelp() {
    if (this.#closeHelp()) return;
    const help = helpElement(() => this.#closeHelp());
    this.dialog.append(help);
    help.querySelector("button")?.focus();
  }

  get #help() {
    return this.dialog.querySelector(".clip-grid-help");
  }

  /** @returns {boolean} whether it was open */
  #closeHelp() {
    const help = this.#help;
    help?.remove();
    if (help) this.view.focus();
    return help !== null;
  }

  /**
   * Show a text for some seconds; the same text again does not restart them.
   * @param {string} status
   */
  showStatus(status) {
    if (this.status.textContent === status) return;
    this.#clearStatus();
    this.status.textContent = status;
    this.#statusTimer = setTimeout(() => this.#clearStatus(), STATUS_TIME);
  }

  #clearStatus() {
    clearTimeout(this.#statusTimer);
    this.status.textContent = "";
  }

  /** @param {number} scale */
  showZoom(scale) {
    this.toolbar.showZoom(scale);
  }

  #onKey = (/** @type {KeyboardEvent} */ event) => {
    // ComfyUI listens to keys on the window: Delete would delete nodes
    event.stopPropagation();
    if (event.key === "Escape") return this.#goBack(event);
    if (this.#help && event.key !== "?") return;
    if (handleKey(event, this)) event.preventDefault();
  };

  /** The focus is outside of the dialog for a moment when an element is replaced that had it. */
  #onKeyOutside = (/** @type {KeyboardEvent} */ event) => {
    if (!(event.target instanceof Node && this.dialog.contains(event.target))) this.#onKey(event);
  };

  /**
   * Close the help, else leave the comparison, else clear the filter, else unpin the cell, else close the viewer.
   * @param {Event} event
   */
  #goBack(event) {
    event.preventDefault();
    if (this.#closeHelp()) return;
    if (this.state.mode === "compare") this.setMode("cells");
    else if (this.state.mode === "cells" && this.views.cells.toolbar.clearFilter()) return;
    else if (this.state.pinned) this.showCell(null);
    else this.close();
  }

  close() {
    this.dialog.close();
  }

  #onClose() {
    this.isWaiting = false;
    for (const view of Object.values(this.views)) view.close();
    this.#clearStatus();
    window.removeEventListener("keydown", this.#onKeyOutside, true);
    this.dialog.remove();
    if (opened === this) opened = null;
  }
}

/** @param {string} value */
function shortened(value) {
  return value.length > COPIED_LENGTH ? `${value.slice(0, COPIED_LENGTH)}…` : value;
}
