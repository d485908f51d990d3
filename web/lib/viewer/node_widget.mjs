// @ts-check
/** What a sheet node shows of its sheets: small pictures of the pages, and the button that opens the viewer. */
import { make } from "../dom.mjs";
import { setting } from "../setting.mjs";
import { viewUrl } from "../views.mjs";
import { openSheetsOf } from "./of_node.mjs";

/** Heights in pixels: of the row with the button, and of the pictures. */
const ROW = 34;
const PICTURES = 84;
/** Of ComfyUI's own around elements of nodes, above and below. */
const MARGIN = 6;
/** Pictures in the node; the viewer has all. */
const MOST = 24;

export class NodeWidget {
  /** @param {any} node */
  constructor(node) {
    this.node = node;
    this.facts = make("span", { cls: "clip-grid-node-facts", text: "Queue to make the sheet" });
    this.button = make("button", { text: "Open viewer", title: "Look at the sheet in full size", attrs: { disabled: true }, on: { click: () => openSheetsOf(node) } });
    this.pictures = make("div", { cls: "clip-grid-node-pictures" });
    this.element = make("div", { cls: "clip-grid clip-grid-node" }, make("div", { cls: "clip-grid-node-row" }, this.facts, this.button), this.pictures);
    const height = () => this.height;
    const options = { serialize: false, hideOnZoom: false, margin: MARGIN, getMinHeight: height, getMaxHeight: height, getHeight: height };
    this.widget = node.addDOMWidget("clip_grid_sheet", "clip_grid_sheet", this.element, options);
    this.widget.serialize = false;
  }

  get height() {
    return 2 * MARGIN + ROW + (this.pictures.childElementCount ? PICTURES : 0);
  }

  /** @param {Record<string, any>} output */
  show(output) {
    const images = setting("ClipGrid.ShowSheetInNode", true) ? output.images ?? [] : [];
    const places = placesOf(output);
    this.pictures.replaceChildren(...images.slice(0, MOST).map((/** @type {any} */ entry, /** @type {number} */ i) => this.picture(entry, i, places[i])));
    this.facts.textContent = factsOf(output);
    this.facts.title = this.facts.textContent;
    this.button.disabled = false;
    this.grow();
  }

  /**
   * @param {import("../views.mjs").Entry} entry
   * @param {number} number
   * @param {{sheet: number, page: number} | undefined} place
   */
  picture(entry, number, place) {
    const title = `Page ${number + 1}: open it in the viewer`;
    const image = make("img", { attrs: { src: viewUrl(entry), alt: "", draggable: "false" }, on: { error: () => image.replaceWith(make("span", { text: "gone" })) } });
    return make("button", { title, attrs: { "aria-label": title }, on: { click: () => openSheetsOf(this.node, place) } }, image);
  }

  /** The node becomes higher where its widgets need it. */
  grow() {
    const { node } = this;
    const [width, height] = node.computeSize();
    if (node.size[1] < height) node.setSize([Math.max(node.size[0], width), height]);
    node.graph?.setDirtyCanvas?.(true, true);
  }
}

/**
 * The sheet and the page of each picture, where the reports are known.
 * @param {Record<string, any>} output
 * @returns {{sheet: number, page: number}[]}
 */
function placesOf({ clip_grid: told = [] }) {
  const reports = told[0]?.grids ?? told;
  return reports.flatMap((/** @type {any} */ report, /** @type {number} */ sheet) => report.pages.map((/** @type {any} */ _, /** @type {number} */ page) => ({ sheet, page })));
}

/** @param {Record<string, any>} output */
function factsOf({ images = [], clip_grid: told = [] }) {
  const reports = told[0]?.grids ?? told;
  const cells = reports.reduce((/** @type {number} */ sum, /** @type {any} */ report) => sum + report.cells.length, 0);
  return [
    cells && count(cells, "picture"),
    reports.length > 1 && count(reports.length, "sheet"),
    count(images.length, "page"),
  ].filter(Boolean).join(", ");
}

/**
 * @param {number} number
 * @param {string} what
 */
function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
