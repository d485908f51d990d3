// @ts-check
/** Lines below the widgets of loaders and IP-Adapter nodes: which file to get where there is none, what a run told. */
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { keepEvents, loadStyles, make } from "./lib/dom.mjs";
import {
  ADAPTER_LOADER_NODE,
  APPLY_NODE,
  EMBEDS_NODE,
  LOADER_NODE,
  REFERENCE_NODE,
  callAfter,
  growNode,
  nodeOfExecution,
  placeWidget,
  widgetOf,
} from "./lib/front_end.mjs";
import { capitalised, loadTexts, text } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */
/** @typedef {NonNullable<GraphNode["constructor"]["nodeData"]>} NodeDefinition */

/**
 * The nodes that have lines; of loaders the widget with the names of files.
 * @type {Record<string, {widget?: string, none?: "model.none" | "adapter.none"}>}
 */
const NODES = {
  [LOADER_NODE]: { widget: "model", none: "model.none" },
  [ADAPTER_LOADER_NODE]: { widget: "adapter", none: "adapter.none" },
  [REFERENCE_NODE]: {},
  [APPLY_NODE]: {},
  [EMBEDS_NODE]: {},
};
/** The names in the lists that are no file of the user. */
const NOT_FOUND = "none found";
const DEMO = "shapes-demo";
/** Heights in the node, in its own pixels: of a line, of the frame, and the most. */
const LINE = 15;
const FRAME = 12;
const MOST = 200;
/** The width of a new node, and the characters of a line in it. */
const WIDTH = 340;
const LINE_LENGTH = 46;

/** @type {WeakMap<GraphNode, NodeLines>} */
const linesOf = new WeakMap();

app.registerExtension({
  name: "clip_grid.node_lines",
  init: loadTexts,
  setup() {
    loadStyles();
    api.addEventListener("clip_grid.note", ({ detail }) => {
      const node = nodeOfExecution(detail.node);
      if (node) linesOf.get(node)?.add(String(detail.text));
    });
  },
  nodeCreated(node) {
    if (node.comfyClass in NODES) linesOf.set(node, new NodeLines(node));
  },
});

class NodeLines {
  #element = make("div", { cls: "clip-grid clip-grid-lines", attrs: { role: "status" } });
  #lines = /** @type {string[]} */ ([]);
  /** What the last run told, and of which file. */
  #told = { file: /** @type {unknown} */ (undefined), lines: /** @type {string[]} */ ([]) };

  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    this.advice = this.#declared(node.constructor.nodeData)[1]?.clip_grid_advice ?? "";
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
    const files = this.#files();
    if (files) callAfter(files, "callback", () => this.#show());
    callAfter(node, "onConfigure", () => this.#show());
    callAfter(node, "onExecuted", (output) => {
      const lines = String(output?.text?.[0] ?? "").split("\n");
      this.#told = { file: files?.value, lines: lines.filter(Boolean) };
      this.#show();
    });
    callAfter(node, "refreshComboInNode", (definitions) => {
      const [names, extra] = this.#declared(definitions[node.comfyClass]);
      this.advice = extra?.clip_grid_advice ?? "";
      const known = Array.isArray(names) ? names : [];
      if (files?.value === NOT_FOUND && known.length && !known.includes(NOT_FOUND)) files.value = known[0];
      this.#show();
    });
    // a node of a workflow keeps its width
    if (files) node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
    this.#show();
  }

  /**
   * Add a line to those of the last run.
   * @param {string} line
   */
  add(line) {
    this.#told = { file: this.#files()?.value, lines: [...new Set([...this.#told.lines, line])] };
    this.#show();
  }

  /** The widget of a loader. */
  #files() {
    const { widget } = NODES[this.node.comfyClass];
    return widget ? widgetOf(this.node, widget) : undefined;
  }

  /**
   * The declaration of a loader's list of files.
   * @param {NodeDefinition | undefined} definition
   * @returns {[names?: unknown, extra?: {clip_grid_advice?: string}]}
   */
  #declared(definition) {
    const files = definition?.input?.required?.[NODES[this.node.comfyClass].widget ?? ""];
    return Array.isArray(files) ? /** @type {[]} */ (files) : [];
  }

  #show() {
    const { node } = this;
    const files = this.#files();
    const file = files?.value;
    const { none } = NODES[node.comfyClass];
    const told = this.#told.file === file ? this.#told.lines : [];
    const isAdvice = Boolean(files) && (file === NOT_FOUND || file === DEMO);
    const advice = none && file === NOT_FOUND ? [text(none)] : file === DEMO ? [text("model.toy")] : [];
    this.#lines = isAdvice ? [...advice, ...this.advice.split("; ").filter(Boolean)] : told;
    this.#element.replaceChildren(...this.#lines.map((line) => make("p", { text: capitalised(line) })));
    this.#element.dataset.alert = String(isAdvice);
    this.#element.style.minHeight = `${Math.max(0, this.#height() - 8)}px`;
    if (files) node.setSize([node.size[0], node.computeSize()[1]]);
    else growNode(node);
    node.graph?.setDirtyCanvas?.(true, true);
  }

  #height() {
    if (!this.#lines.length) return 0;
    const wide = Math.max(1, (this.node.size[0] / WIDTH) * LINE_LENGTH);
    const lines = this.#lines.reduce((sum, line) => sum + Math.ceil(line.length / wide), 0);
    return Math.min(MOST, FRAME + 8 + lines * LINE + 3 * (this.#lines.length - 1));
  }
}
