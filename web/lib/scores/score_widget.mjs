// @ts-check
/** The scores in a node that matches, labels or ranks pictures: counts, the list of rows, and notes. */
import { app } from "../../../../scripts/app.js";
import { make } from "../dom.mjs";
import { DECIMALS_CHANGED } from "../front_end.mjs";
import { NotesLine } from "../notes_dialog.mjs";
import { text } from "../texts.mjs";
import { RowList } from "./row_list.mjs";
import { SIGNS } from "./rows.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./rows.mjs").Result} Result */

/** The space that ComfyUI leaves above and below elements of nodes, in pixels. */
const MARGIN = 6;
/** The height of the rows that are seen without scrolling: about six matches with phrases, or ten other rows. */
const MAX_ROWS_HEIGHT = 460;
/** The height before the first run. */
const EMPTY_HEIGHT = 34;
/** The frame and the gaps between the parts. */
const FRAME = 16;

export class ScoreWidget {
  #node;
  #list = new RowList();
  #counts = make("div", { cls: "clip-grid-scores-counts" });
  #scale = make("div", { cls: "clip-grid-scores-scale" });
  #notes;
  #hint = make("div", { cls: "clip-grid-scores-hint", text: text("scores.hint") });
  #element = make(
    "div",
    { cls: "clip-grid clip-grid-scores", data: { captureWheel: "true", empty: "true" } },
    this.#hint,
  );
  #height = EMPTY_HEIGHT;
  /** @type {(() => Result | null) | null} */
  #read = null;

  /** @param {GraphNode} node */
  constructor(node) {
    this.#node = node;
    this.#notes = new NotesLine(node);
    const widget = node.addDOMWidget("clip_grid_scores", "CLIP_GRID_SCORES", this.#element, {
      serialize: false,
      hideOnZoom: false,
      margin: MARGIN,
      getMinHeight: () => this.#height + 2 * MARGIN,
    });
    widget.serialize = false;
    this.#element.addEventListener("wheel", (event) => zoomCanvas(event, this.#element), { passive: false });
    new ResizeObserver(() => this.#fit()).observe(this.#element);
    this.#listen();
  }

  /** @param {() => Result | null} read makes the result, again whenever a setting changes */
  show(read) {
    const result = read();
    if (!result) return;
    this.#read = read;
    const { counts, scale, rows, notes } = result;
    this.#element.dataset.empty = "false";
    this.#counts.replaceChildren(...counts.map(countElement));
    this.#scale.textContent = scale;
    this.#notes.show(notes);
    this.#element.replaceChildren(this.#counts, this.#scale, this.#notes.element, this.#list.element);
    this.#list.show(rows);
    this.#fit();
  }

  /** Follow the setting for decimals, without keeping a widget whose node is gone. */
  #listen() {
    const weak = new WeakRef(this);
    const listener = () => {
      const widget = weak.deref();
      if (!widget) window.removeEventListener(DECIMALS_CHANGED, listener);
      else if (widget.#read) widget.show(widget.#read);
    };
    window.addEventListener(DECIMALS_CHANGED, listener);
  }

  /** Make the node as high as what it shows; a node that the user has made larger stays so. */
  #fit() {
    const before = this.#height;
    this.#height = this.#measure();
    this.#element.style.minHeight = `${this.#height}px`;
    // Nodes 2.0 are as high as what is in them by themselves
    if (Math.abs(this.#height - before) < 2 || isInVueNode(this.#element)) return;
    const [width, height] = this.#node.size;
    const least = this.#node.computeSize()[1];
    this.#node.setSize([width, Math.max(height + Math.min(0, this.#height - before), least)]);
    app.canvas?.setDirty(true, true);
  }

  /** The height that shows all rows, or as many as fit; the same as before while the element is not on the page. */
  #measure() {
    if (!this.#read || !this.#element.isConnected || this.#element.offsetWidth === 0) return this.#height;
    const rows = Math.min(this.#list.fullHeight, MAX_ROWS_HEIGHT);
    return [this.#counts, this.#scale, this.#notes.element].reduce(
      (sum, { offsetHeight }) => sum + offsetHeight,
      rows + FRAME,
    );
  }
}

/**
 * @param {Result["counts"][number]} count
 * @returns {HTMLElement}
 */
function countElement({ state, text: label }) {
  const sign = make("span", { cls: "clip-grid-score-sign", text: SIGNS[state] });
  return make("span", { cls: "clip-grid-scores-count", data: { state } }, sign, ` ${label}`);
}

/**
 * Let the wheel zoom the canvas where the list has nothing to scroll; Nodes 2.0 do that by themselves.
 * @param {WheelEvent} event
 * @param {HTMLElement} element
 */
function zoomCanvas(event, element) {
  if (isInVueNode(element)) return;
  const list = element.querySelector(".clip-grid-scores-list");
  const canScroll =
    list && event.target instanceof Node && list.contains(event.target) && list.scrollHeight > list.clientHeight + 1;
  if (canScroll && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  app.canvas?.canvas.dispatchEvent(new WheelEvent("wheel", event));
}

/**
 * @param {HTMLElement} element
 * @returns {boolean}
 */
function isInVueNode(element) {
  return element.closest("[data-node-id]") !== null;
}
