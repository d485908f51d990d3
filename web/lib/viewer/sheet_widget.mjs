// @ts-check
/** The sheets of a node: remembered after its run, shown in it in full width, and opened in the viewer. */
import { make } from "../dom.mjs";
import { fileUrl } from "../files.mjs";
import { growNode, notice, placeWidget, setting } from "../front_end.mjs";
import { editLabel, queueAgain, whyNotEditable } from "../labels/edits.mjs";
import { NotesLine } from "../notes_dialog.mjs";
import { text } from "../texts.mjs";
import { loadSheets, notesOf, reportsOf, savedOfRun, shownOfRun } from "./sheets.mjs";
import { openViewer } from "./viewer.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("../results.mjs").Output} Output */
/** @typedef {import("../files.mjs").FileEntry} FileEntry */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./state.mjs").Place} Place */

/** Heights in pixels: of the row with the button, of the line with notes, and of the sheet. */
const ROW_HEIGHT = 30;
const NOTES_HEIGHT = { quiet: 22, loud: 38 };
const SHEET_HEIGHT = { least: 80, most: 260 };
/** The space that ComfyUI leaves above and below elements of nodes. */
const MARGIN = 6;

/** @type {WeakMap<GraphNode, {output: Output, sheets?: Promise<Sheet[]>}>} */
const remembered = new WeakMap();

/**
 * Remember the output of a node.
 * @param {GraphNode} node
 * @param {Output} output
 * @returns {boolean} whether it is of another run than the last one
 */
export function rememberSheets(node, output) {
  const before = remembered.get(node)?.output;
  // the copy in the workflow and what the page has are of the same run if they name the same files
  if (before && hasSameFiles(before, output) && (before.clip_grid || !output.clip_grid)) return false;
  remembered.set(node, { output });
  return true;
}

/**
 * @param {Output} a
 * @param {Output} b
 */
function hasSameFiles(a, b) {
  return JSON.stringify([a.images, a.clip_grid_files]) === JSON.stringify([b.images, b.clip_grid_files]);
}

/**
 * The sheets of a node, read once, so that edited labels stay.
 * @param {GraphNode} node
 * @returns {Promise<Sheet[]>}
 */
export async function sheetsOfNode(node) {
  const known = remembered.get(node);
  if (!known) return [];
  known.sheets ??= loadSheets(known.output);
  const sheets = await known.sheets;
  // a sidecar that could not be read is tried again the next time
  if (sheets.some((sheet) => !sheet.report)) known.sheets = undefined;
  return sheets.filter((sheet) => sheet.pages.length);
}

/** @type {{node: GraphNode, viewer: import("./viewer.mjs").Viewer} | null} the viewer that was opened last */
let last = null;

/**
 * Show the new sheets of a node in the viewer if the workflow was queued there, and it is still open.
 * @param {GraphNode} node
 */
export async function showQueued(node) {
  const viewer = last?.node === node && last.viewer;
  if (!viewer || !viewer.isWaiting) return;
  const sheets = await sheetsOfNode(node);
  // it may have been closed while they were read
  if (viewer.isWaiting && sheets.length) viewer.showSheets(sheets);
}

/**
 * Open the viewer on the sheets of a node.
 * @param {GraphNode} node
 * @param {Partial<Place>} [start]
 */
export async function openSheetsOf(node, start = {}) {
  const sheets = await sheetsOfNode(node);
  if (!sheets.length) return notice("info", text("viewer.no_sheet"), text("viewer.no_sheet_cure"));
  const viewer = openViewer(sheets, start, {
    problem({ report }) {
      const problem = whyNotEditable(node, report);
      return problem ? `${problem.summary}. ${problem.detail}` : "";
    },
    change: ({ report }, { index }, label) => editLabel(node, report, index, label),
    queue: queueAgain,
  });
  last = { node, viewer };
}

export class SheetWidget {
  #page = 0;
  /** @type {FileEntry[]} for each page the image that is shown */
  #shown = [];
  /** @type {HTMLImageElement[]} for each page its saved file, for the menu of the node */
  #saved = [];
  /** @type {Place[]} */
  #places = [];
  /** Height of the sheet by its width. */
  #ratio = 0;
  #summary = make("span", { cls: "clip-grid-node-summary", text: text("node.queue") });
  #number = make("span", { cls: "clip-grid-node-number" });
  #turn = make(
    "span",
    { cls: "clip-grid-node-turn", attrs: { hidden: true } },
    this.#turnButton("‹", text("page.previous"), -1),
    this.#number,
    this.#turnButton("›", text("page.next"), 1),
  );
  #open = make("button", {
    text: text("node.open"),
    title: text("node.open_hint"),
    attrs: { disabled: true },
    on: { click: () => void openSheetsOf(this.node, this.#places[this.#page]) },
  });
  #notes;
  #sheet = make("div", { cls: "clip-grid-node-sheet" });
  #element = make(
    "div",
    { cls: "clip-grid clip-grid-node" },
    make("div", { cls: "clip-grid-node-row" }, this.#summary, this.#turn, this.#open),
  );

  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    this.#notes = new NotesLine(node);
    this.#element.append(this.#notes.element, this.#sheet);
    // it is shown here, also after the page or the server was restarted
    node.hideOutputImages = true;
    node.onDrawBackground = () => {};
    const height = () => this.#height();
    const widget = node.addDOMWidget("clip_grid_sheet", "clip_grid_sheet", this.#element, {
      serialize: false,
      hideOnZoom: false,
      margin: MARGIN,
      getMinHeight: height,
    });
    widget.serialize = false;
    placeWidget(node, widget);
    this.#grow();
  }

  /** @param {Output} output */
  show(output) {
    const reports = reportsOf(output);
    this.#shown = setting("ClipGrid.ShowSheetInNode", true) ? shownOfRun(output) : [];
    this.#saved = savedOfRun(output).map((file) => make("img", { attrs: { src: fileUrl(file), alt: "" } }));
    this.#places = reports.flatMap(({ pages = [] }, sheet) => pages.map((_, page) => ({ sheet, page })));
    this.#notes.show(output.clip_notes ?? reports.flatMap(notesOf));
    this.#summary.textContent = this.#summary.title = summaryOf(output, reports);
    this.#open.disabled = false;
    this.#showPage(0);
  }

  /**
   * @param {string} sign
   * @param {string} title
   * @param {number} step
   */
  #turnButton(sign, title, step) {
    return make("button", {
      text: sign,
      title,
      attrs: { "aria-label": title },
      on: { click: () => this.#showPage((this.#page + step + this.#saved.length) % this.#saved.length) },
    });
  }

  /** @param {number} page */
  #showPage(page) {
    this.#page = page;
    this.#number.textContent = `${page + 1} / ${this.#saved.length}`;
    this.#turn.hidden = this.#saved.length < 2;
    this.#showInMenu();
    const file = this.#shown[page];
    this.#sheet.replaceChildren(...(file ? [this.#imageButton(file, page)] : []));
    if (!file) this.#ratio = 0;
    this.#grow();
  }

  /** Let the menu entries Open, Save and Copy Image act on the saved file of the page. */
  #showInMenu() {
    Object.assign(this.node, { imgs: this.#saved, imageIndex: this.#page, overIndex: this.#page });
    this.node.previewMediaType = "image";
  }

  /**
   * @param {FileEntry} file
   * @param {number} page
   */
  #imageButton(file, page) {
    const title = text("node.page", { number: page + 1 });
    const image = make("img", {
      attrs: { src: fileUrl(file), alt: "", draggable: "false" },
      on: {
        load: () => this.#fit(image),
        error: () => image.replaceWith(make("span", { text: text("node.gone") })),
      },
    });
    return make(
      "button",
      { title, attrs: { "aria-label": title }, on: { click: () => void openSheetsOf(this.node, this.#places[page]) } },
      image,
    );
  }

  /** @param {HTMLImageElement} image a loaded one */
  #fit(image) {
    if (!this.#sheet.contains(image)) return;
    this.#ratio = image.naturalHeight / Math.max(1, image.naturalWidth);
    this.#grow();
  }

  #height() {
    const notes = this.#notes.element.hidden ? 0 : NOTES_HEIGHT[this.#notes.isLoud ? "loud" : "quiet"];
    const { least, most } = SHEET_HEIGHT;
    const wanted = Math.ceil((this.node.size[0] - 2 * MARGIN) * this.#ratio);
    const sheet = this.#sheet.childElementCount ? Math.min(most, Math.max(least, wanted)) : 0;
    return 2 * MARGIN + ROW_HEIGHT + notes + sheet;
  }

  /** Make the node as high as its widgets need it. */
  #grow() {
    this.#element.style.minHeight = `${this.#height() - 2 * MARGIN}px`;
    growNode(this.node);
  }
}

/**
 * How many pictures, sheets and pages there are.
 * @param {Output} output
 * @param {import("./sheets.mjs").Report[]} reports
 */
function summaryOf({ images = [], clip_grid_pictures: counts = [] }, reports) {
  // version 0.1 told them by its reports alone
  const pictures = counts.length ? counts : reports.map(({ cells = [] }) => cells.length);
  const sum = pictures.reduce((a, b) => a + b, 0);
  const parts = [
    sum && text("count.pictures", { count: sum }),
    pictures.length > 1 && text("count.sheets", { count: pictures.length }),
    text("count.pages", { count: images.length }),
  ];
  return parts.filter(Boolean).join(", ");
}
