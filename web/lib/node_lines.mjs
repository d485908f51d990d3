// @ts-check
/** Lines of text in a node, below its widgets: as high as they need, up to a limit, then they scroll. */
import { keepEvents, make } from "./dom.mjs";
import { growNode, placeWidget } from "./front_end.mjs";
import { capitalised } from "./texts.mjs";

/** @typedef {import("./front_end.mjs").GraphNode} GraphNode */

/** Heights in the node, in its own pixels: of a line, of the frame with the space around it, and the most. */
const LINE = 15;
const FRAME = 18;
const MOST = 320;
/** The width of a new node, and the characters of a line in it. */
const WIDTH = 340;
const LINE_LENGTH = 46;

export class NodeLines {
  #text = make("div");
  #element = make("div", { cls: "clip-grid clip-grid-lines", attrs: { role: "status" } }, this.#text);
  #lines = /** @type {string[]} */ ([]);

  #fits = true;

  /**
   * @param {GraphNode} node
   * @param {boolean} [fits] whether the node is made as high as its lines need, instead of growing only
   */
  constructor(node, fits = true) {
    this.node = node;
    this.#fits = fits;
    keepEvents(this.#element, "copy", "wheel");
    const height = () => this.#height();
    const widget = node.addDOMWidget("clip_grid_lines", "clip_grid_lines", this.#element, {
      serialize: false,
      hideOnZoom: false,
      margin: 4,
      getMinHeight: height,
      getMaxHeight: height,
      getHeight: height,
    });
    widget.serialize = false;
    placeWidget(node, widget);
    // the width of the node and the fonts of the page decide how many lines there are
    new ResizeObserver(() => this.#fit()).observe(this.#text);
    // a node of a workflow keeps its width
    if (fits) node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
  }

  /**
   * @param {string[]} lines none to take no space
   * @param {boolean} [isAlert] whether the user should act, or not trust what comes out; the first line says so
   */
  show(lines, isAlert = false) {
    this.#lines = lines;
    this.#text.replaceChildren(...lines.map((line) => make("p", { text: capitalised(line) })));
    this.#element.dataset.alert = String(isAlert);
    this.#fit();
  }

  #fit() {
    this.#element.style.minHeight = `${Math.max(0, this.#height() - 8)}px`;
    const { node } = this;
    if (this.#fits) node.setSize([node.size[0], node.computeSize()[1]]);
    else growNode(node);
    node.graph?.setDirtyCanvas?.(true, true);
  }

  /** The height of all lines: measured on the page, estimated before they are there. */
  #height() {
    if (!this.#lines.length) return 0;
    const measured = this.#text.offsetHeight;
    if (measured) return Math.min(MOST, FRAME + measured);
    const wide = Math.max(1, (this.node.size[0] / WIDTH) * LINE_LENGTH);
    const lines = this.#lines.reduce((sum, line) => sum + Math.ceil(line.length / wide), 0);
    return Math.min(MOST, FRAME + (lines + this.#lines.length / 5) * LINE);
  }
}

/**
 * The lines that a node shows after a run.
 * @param {{text?: unknown[]} | null | undefined} output
 */
export function linesOf(output) {
  return String(output?.text?.[0] ?? "")
    .split("\n")
    .filter(Boolean);
}
