// @ts-check
/** The sheets of a node: remembered after its run, shown in it as small images, and opened in the viewer. */
import { make } from "../dom.mjs";
import { fileUrl } from "../files.mjs";
import { notice, setting } from "../front_end.mjs";
import { editLabel, queueAgain, whyNotEditable } from "../labels/edits.mjs";
import { text } from "../texts.mjs";
import { loadSheets, reportsOf } from "./sheets.mjs";
import { openViewer } from "./viewer.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("../results.mjs").Output} Output */
/** @typedef {import("../files.mjs").FileEntry} FileEntry */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./state.mjs").Place} Place */

/** Heights in pixels: of the row with the button, and of the images. */
const ROW_HEIGHT = 34;
const IMAGES_HEIGHT = 84;
/** The space that ComfyUI leaves above and below elements of nodes. */
const MARGIN = 6;
/** Images in the node; the viewer has all. */
const MAX_IMAGES = 24;

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

/**
 * Open the viewer on the sheets of a node.
 * @param {GraphNode} node
 * @param {Partial<Place>} [start]
 */
export async function openSheetsOf(node, start = {}) {
  const sheets = await sheetsOfNode(node);
  if (!sheets.length) return notice("info", text("viewer.no_sheet"), text("viewer.no_sheet_cure"));
  return openViewer(sheets, start, {
    problem({ report }) {
      const problem = whyNotEditable(node, report);
      return problem ? `${problem.summary}. ${problem.detail}` : "";
    },
    change: ({ report }, { index }, label) => editLabel(node, report, index, label),
    queue: queueAgain,
  });
}

export class SheetWidget {
  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    this.summary = make("span", { cls: "clip-grid-node-summary", text: text("node.queue") });
    this.button = make("button", {
      text: text("node.open"),
      title: text("node.open_hint"),
      attrs: { disabled: true },
      on: { click: () => void openSheetsOf(node) },
    });
    this.images = make("div", { cls: "clip-grid-node-pictures" });
    this.element = make(
      "div",
      { cls: "clip-grid clip-grid-node" },
      make("div", { cls: "clip-grid-node-row" }, this.summary, this.button),
      this.images,
    );
    const height = () => 2 * MARGIN + ROW_HEIGHT + (this.images.childElementCount ? IMAGES_HEIGHT : 0);
    const widget = node.addDOMWidget("clip_grid_sheet", "clip_grid_sheet", this.element, {
      serialize: false,
      hideOnZoom: false,
      margin: MARGIN,
      getMinHeight: height,
      getMaxHeight: height,
      getHeight: height,
    });
    widget.serialize = false;
  }

  /** @param {Output} output */
  show(output) {
    const { images = [] } = output;
    const shown = setting("ClipGrid.ShowSheetInNode", true) ? images.slice(0, MAX_IMAGES) : [];
    const reports = reportsOf(output);
    const places = reports.flatMap(({ pages = [] }, sheet) => pages.map((_, page) => ({ sheet, page })));
    this.images.replaceChildren(...shown.map((file, i) => this.#imageButton(file, i, places[i])));
    const pictures = reports.reduce((sum, { cells = [] }) => sum + cells.length, 0);
    this.summary.textContent = this.summary.title = [
      pictures && text("count.pictures", { count: pictures }),
      reports.length > 1 && text("count.sheets", { count: reports.length }),
      text("count.pages", { count: images.length }),
    ]
      .filter(Boolean)
      .join(", ");
    this.button.disabled = false;
    this.#grow();
  }

  /**
   * @param {FileEntry} file
   * @param {number} number
   * @param {Place | undefined} place
   */
  #imageButton(file, number, place) {
    const title = text("node.page", { number: number + 1 });
    const image = make("img", {
      attrs: { src: fileUrl(file), alt: "", draggable: "false" },
      on: { error: () => image.replaceWith(make("span", { text: text("node.gone") })) },
    });
    return make(
      "button",
      { title, attrs: { "aria-label": title }, on: { click: () => void openSheetsOf(this.node, place) } },
      image,
    );
  }

  /** Make the node higher where its widgets need it. */
  #grow() {
    const { node } = this;
    const [width, height] = node.computeSize();
    if (node.size[1] < height) node.setSize([Math.max(node.size[0], width), height]);
    node.graph?.setDirtyCanvas?.(true, true);
  }
}
