// @ts-check
/** Lines below the widgets of loaders and IP-Adapter nodes: which file to get where there is none, what a run told. */
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import {
  ADAPTER_LOADER_NODE,
  APPLY_NODE,
  EMBEDS_NODE,
  LOADER_NODE,
  REFERENCE_NODE,
  callAfter,
  nodeOfExecution,
  widgetOf,
} from "./lib/front_end.mjs";
import { NodeLines, linesOf } from "./lib/node_lines.mjs";
import { loadTexts, text } from "./lib/texts.mjs";

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
/** @type {WeakMap<GraphNode, FileLines>} */
const shown = new WeakMap();

app.registerExtension({
  name: "clip_grid.node_lines",
  init: loadTexts,
  setup() {
    loadStyles();
    api.addEventListener("clip_grid.note", ({ detail }) => {
      const node = nodeOfExecution(detail.node);
      if (node) shown.get(node)?.add(String(detail.text));
    });
  },
  nodeCreated(node) {
    if (node.comfyClass in NODES) shown.set(node, new FileLines(node));
  },
});

class FileLines extends NodeLines {
  /** What the last run told, and of which file. */
  #told = { file: /** @type {unknown} */ (undefined), lines: /** @type {string[]} */ ([]) };

  /** @param {GraphNode} node */
  constructor(node) {
    super(node, Boolean(NODES[node.comfyClass].widget));
    this.advice = this.#declared(node.constructor.nodeData)[1]?.clip_grid_advice ?? "";
    const files = this.#files();
    if (files) callAfter(files, "callback", () => this.#update());
    callAfter(node, "onConfigure", () => this.#update());
    callAfter(node, "onExecuted", (output) => {
      this.#told = { file: files?.value, lines: linesOf(output) };
      this.#update();
    });
    callAfter(node, "refreshComboInNode", (definitions) => {
      const [names, extra] = this.#declared(definitions[node.comfyClass]);
      this.advice = extra?.clip_grid_advice ?? "";
      const known = Array.isArray(names) ? names : [];
      if (files?.value === NOT_FOUND && known.length && !known.includes(NOT_FOUND)) files.value = known[0];
      this.#update();
    });
    this.#update();
  }

  /**
   * Add a line to those of the last run.
   * @param {string} line
   */
  add(line) {
    this.#told = { file: this.#files()?.value, lines: [...new Set([...this.#told.lines, line])] };
    this.#update();
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

  #update() {
    const file = this.#files()?.value;
    const { none } = NODES[this.node.comfyClass];
    const told = this.#told.file === file ? this.#told.lines : [];
    const isAdvice = file === NOT_FOUND || file === DEMO;
    const advice = none && file === NOT_FOUND ? [text(none)] : file === DEMO ? [text("model.toy")] : [];
    this.show(isAdvice ? [...advice, ...this.advice.split("; ").filter(Boolean)] : told, isAdvice);
  }
}
