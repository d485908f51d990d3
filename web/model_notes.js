// @ts-check
/** What CLIP Model Loader tells: which file to get where there is no model, and what the loaded one is. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { LOADER_NODE, callAfter, widgetOf } from "./lib/front_end.mjs";
import { NodeNotes, linesOf } from "./lib/node_notes.mjs";
import { loadTexts, text } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */

/** The names in the list that are no model of the user. */
const NOT_FOUND = "none found";
const DEMO = "shapes-demo";

app.registerExtension({
  name: "clip_grid.model_notes",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    if (node.comfyClass === LOADER_NODE) new ModelNotes(node);
  },
});

class ModelNotes extends NodeNotes {
  /** What the last run told, and of which model. */
  #told = { model: /** @type {unknown} */ (null), lines: /** @type {string[]} */ ([]) };

  /** @param {GraphNode} node */
  constructor(node) {
    super(node);
    this.advice = adviceOf(node.constructor.nodeData);
    const model = widgetOf(node, "model");
    if (model) callAfter(model, "callback", () => this.#update());
    callAfter(node, "onConfigure", () => this.#update());
    callAfter(node, "onExecuted", (output) => {
      this.#told = { model: model?.value, lines: linesOf(output) };
      this.#update();
    });
    callAfter(node, "refreshComboInNode", (definitions) => {
      this.advice = adviceOf(definitions[LOADER_NODE]);
      const names = namesOf(definitions[LOADER_NODE]);
      if (model?.value === NOT_FOUND && names.length && !names.includes(NOT_FOUND)) model.value = names[0];
      this.#update();
    });
    this.#update();
  }

  #update() {
    const model = widgetOf(this.node, "model")?.value;
    const told = this.#told.model === model ? this.#told.lines : [];
    const isAdvice = model === NOT_FOUND || model === DEMO;
    const advice = model === NOT_FOUND ? [text("model.none")] : model === DEMO ? [text("model.toy")] : [];
    this.show(isAdvice ? [...advice, ...this.advice.split("; ").filter(Boolean)] : told, isAdvice);
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
