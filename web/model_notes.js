// @ts-check
/** What CLIP Model Loader tells: which file to get where there is no model, and what the loaded one is. */
import { app } from "../../scripts/app.js";
import { keepEvents, loadStyles, make } from "./lib/dom.mjs";
import { LOADER_NODE, callAfter, placeWidget, widgetOf } from "./lib/front_end.mjs";
import { capitalised, loadTexts, text } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */

/** The names in the list that are no model of the user. */
const NOT_FOUND = "none found";
const DEMO = "shapes-demo";
/** Heights in the node, in its own pixels: of a line, of the frame with the space around it, and the most. */
const LINE = 15;
const FRAME = 18;
const MOST = 320;
/** The width of a new node, and the characters of a line in it. */
const WIDTH = 340;
const LINE_LENGTH = 46;

app.registerExtension({
  name: "clip_grid.model_notes",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    if (node.comfyClass === LOADER_NODE) new ModelNotes(node);
  },
});

class ModelNotes {
  #text = make("div");
  #element = make("div", { cls: "clip-grid clip-grid-model", attrs: { role: "status" } }, this.#text);
  #lines = /** @type {string[]} */ ([]);
  /** What the last run told, and of which model. */
  #told = { model: /** @type {unknown} */ (null), lines: /** @type {string[]} */ ([]) };

  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    this.advice = adviceOf(node.constructor.nodeData);
    keepEvents(this.#element, "copy", "wheel");
    const height = () => this.#height();
    const widget = node.addDOMWidget("clip_grid_model", "clip_grid_model", this.#element, {
      serialize: false,
      hideOnZoom: false,
      margin: 4,
      getMinHeight: height,
      getMaxHeight: height,
      getHeight: height,
    });
    widget.serialize = false;
    placeWidget(node, widget);
    const model = widgetOf(node, "model");
    if (model) callAfter(model, "callback", () => this.#show());
    callAfter(node, "onConfigure", () => this.#show());
    callAfter(node, "onExecuted", (output) => {
      this.#told = {
        model: model?.value,
        lines: String(output?.text?.[0] ?? "")
          .split("\n")
          .filter(Boolean),
      };
      this.#show();
    });
    callAfter(node, "refreshComboInNode", (definitions) => {
      this.advice = adviceOf(definitions[LOADER_NODE]);
      const names = namesOf(definitions[LOADER_NODE]);
      if (model?.value === NOT_FOUND && names.length && !names.includes(NOT_FOUND)) model.value = names[0];
      this.#show();
    });
    // the width of the node and the fonts of the page decide how many lines there are
    new ResizeObserver(() => this.#fit()).observe(this.#text);
    // a node of a workflow keeps its width
    node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
    this.#show();
  }

  #show() {
    const model = widgetOf(this.node, "model")?.value;
    const told = this.#told.model === model ? this.#told.lines : [];
    const isAdvice = model === NOT_FOUND || model === DEMO;
    const advice = model === NOT_FOUND ? [text("model.none")] : model === DEMO ? [text("model.toy")] : [];
    this.#lines = isAdvice ? [...advice, ...this.advice.split("; ").filter(Boolean)] : told;
    this.#text.replaceChildren(...this.#lines.map((line) => make("p", { text: capitalised(line) })));
    this.#element.dataset.alert = String(isAdvice);
    this.#fit();
  }

  #fit() {
    this.#element.style.minHeight = `${Math.max(0, this.#height() - 8)}px`;
    const { node } = this;
    node.setSize([node.size[0], node.computeSize()[1]]);
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

/** @typedef {NonNullable<GraphNode["constructor"]["nodeData"]>} NodeDefinition */

/**
 * The declaration of the list of models.
 * @param {NodeDefinition | undefined} definition
 * @returns {[names?: unknown, extra?: {clip_grid_advice?: string}]}
 */
function declared(definition) {
  const model = definition?.input?.required?.model;
  return Array.isArray(model) ? /** @type {[]} */ (model) : [];
}

/** @param {NodeDefinition | undefined} definition */
function adviceOf(definition) {
  return declared(definition)[1]?.clip_grid_advice ?? "";
}

/**
 * @param {NodeDefinition | undefined} definition
 * @returns {string[]}
 */
function namesOf(definition) {
  const [names] = declared(definition);
  return Array.isArray(names) ? names : [];
}
