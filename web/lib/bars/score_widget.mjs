// @ts-check
/** The panel of a result as a widget: of its node's size, and never part of what is saved or sent. */
import { app } from "../../../../scripts/app.js";
import { DECIMALS_CHANGED } from "../events.mjs";
import { Panel } from "./panel.mjs";

/** Of ComfyUI's own around elements of nodes, above and below, in pixels. */
const MARGIN = 6;

export class ScoreWidget {
  #panel = new Panel();
  #node;
  /** @type {(() => import("./rows.mjs").Result | null) | null} */
  #read = null;

  /** @param {any} node */
  constructor(node) {
    this.#node = node;
    const widget = node.addDOMWidget("clip_grid_scores", "CLIP_GRID_SCORES", this.#panel.element, {
      serialize: false, hideOnZoom: false, margin: MARGIN,
      getMinHeight: () => this.#panel.height + 2 * MARGIN,
    });
    widget.serialize = false;
    this.#panel.element.addEventListener("wheel", forwardWheel, { passive: false });
    new ResizeObserver(() => this.#fit()).observe(this.#panel.element);
    this.#listen();
  }

  /** @param {() => import("./rows.mjs").Result | null} read makes the result, anew whenever a setting changes */
  show(read) {
    const result = read();
    if (!result) return;
    this.#read = read;
    this.#panel.show(result);
    this.#fit();
  }

  /** Widgets go with their nodes: the page must not hold them. */
  #listen() {
    const weak = new WeakRef(this);
    const listener = () => {
      const widget = weak.deref();
      if (!widget) window.removeEventListener(DECIMALS_CHANGED, listener);
      else if (widget.#read) widget.show(widget.#read);
    };
    window.addEventListener(DECIMALS_CHANGED, listener);
  }

  /** As high as what is shown; a node that the user has made larger stays so. */
  #fit() {
    const before = this.#panel.height;
    const height = this.#panel.measure();
    this.#panel.element.style.minHeight = `${height}px`;
    // Nodes 2.0 are as high as what is in them by themselves
    if (Math.abs(height - before) < 2 || isInVueNode(this.#panel.element)) return;
    const [width, whole] = this.#node.size;
    const least = this.#node.computeSize()[1];
    this.#node.setSize([width, Math.max(whole + Math.min(0, height - before), least)]);
    app.canvas?.setDirty(true, true);
  }
}

/**
 * The canvas zooms where the list has nothing to scroll. Nodes 2.0 do that by themselves.
 * @param {WheelEvent} event
 */
function forwardWheel(event) {
  const panel = /** @type {HTMLElement} */ (event.currentTarget);
  if (isInVueNode(panel)) return;
  const list = panel.querySelector(".clip-grid-scores-list");
  const canScroll = list && list.contains(/** @type {Node} */ (event.target)) && list.scrollHeight > list.clientHeight + 1;
  if (canScroll && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  app.canvas?.canvas?.dispatchEvent(new WheelEvent("wheel", event));
}

/**
 * @param {HTMLElement} element
 * @returns {boolean}
 */
function isInVueNode(element) {
  return element.closest("[data-node-id]") !== null;
}
