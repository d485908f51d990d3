// @ts-check
/**
 * Inputs that are rarely needed are folded away on the classic canvas, with a button that shows them.
 *
 * ComfyUI saves `showAdvanced` with the node, and "Nodes 2.0" have a button of their own for it; the classic canvas
 * knows no more than the menu of the node, and leaves gaps where advanced widgets are hidden.
 */
import { app } from "../../scripts/app.js";
import { loadStyles, make } from "./lib/dom.mjs";
import { callAfter, hasVueNodes, isLinked, placeWidget, setting } from "./lib/front_end.mjs";
import { loadTexts, text } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./lib/front_end.mjs").Widget} Widget */

/** ComfyUI's setting, of front ends whose "Nodes 2.0" have the button. */
const ALWAYS_SHOWN = "Comfy.Node.AlwaysShowAdvancedWidgets";
/** The property by which nodes of workflows that were saved before there was a fold are known. */
const FOLDED = "clip_grid_folds";
const HEIGHT = 26;
/** What ComfyUI leaves between two widgets. */
const GAP = 4;

app.registerExtension({
  name: "clip_grid.advanced_inputs",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    const widgets = node.widgets?.filter((widget) => widget.options?.advanced) ?? [];
    if (node.comfyClass.startsWith("ClipGrid_") && widgets.length) new Fold(node, widgets);
  },
});

class Fold {
  /** @type {Map<Widget, unknown>} the values that nobody has changed */
  #defaults;
  #button = make("button", { attrs: { type: "button" }, on: { click: () => this.#toggle() } });

  /**
   * @param {GraphNode} node
   * @param {Widget[]} widgets those that are advanced
   */
  constructor(node, widgets) {
    this.node = node;
    this.#defaults = new Map(widgets.map((widget) => [widget, widget.value]));
    node.properties[FOLDED] = true;
    for (const widget of widgets) this.#fold(widget);
    this.#addButton();
    const update = () => this.#update();
    for (const widget of widgets) callAfter(widget, "callback", update);
    for (const hook of /** @type {const} */ (["onWidgetChanged", "onConnectionsChange", "toggleAdvanced"])) {
      if (hook !== "toggleAdvanced" || node[hook]) callAfter(node, hook, update);
    }
    callAfter(node, "onConfigure", (saved) => this.#restore(/** @type {{properties?: object}} */ (saved)));
    update();
    // ComfyUI has made it as high as all widgets
    this.#resize();
  }

  #addButton() {
    const element = make("div", { cls: "clip-grid clip-grid-advanced" }, this.#button);
    const height = () => HEIGHT;
    const options = {
      serialize: false,
      hideOnZoom: true,
      margin: 0,
      getMinHeight: height,
      getMaxHeight: height,
      getHeight: height,
      get hidden() {
        return hasVueNodes() && setting(ALWAYS_SHOWN, "") !== "";
      },
    };
    const widget = this.node.addDOMWidget("clip_grid_advanced", "clip_grid_advanced", element, options);
    widget.serialize = false;
    placeWidget(this.node, widget);
  }

  /**
   * Hide a widget while the node shows no advanced ones; not if it is linked.
   * @param {Widget} widget
   */
  #fold(widget) {
    const { node } = this;
    let size = widget.computeSize;
    Object.defineProperties(widget, {
      advanced: {
        configurable: true,
        enumerable: true,
        get: () => !isLinked(node, widget.name) && !setting(ALWAYS_SHOWN, /** @type {boolean} */ (false)),
        set: () => {},
      },
      computeSize: {
        configurable: true,
        get: () => (widget.advanced && !node.showAdvanced ? () => [0, -GAP] : size),
        set: (given) => (size = given),
      },
    });
  }

  #toggle() {
    const { node } = this;
    node.graph?.beforeChange?.();
    node.showAdvanced = !node.showAdvanced;
    this.#resize();
    this.#update();
    node.graph?.afterChange?.();
  }

  /** Make the node as high as what it shows. */
  #resize() {
    const { node } = this;
    node.setSize([node.size[0], node.computeSize()[1]]);
    node.graph?.setDirtyCanvas?.(true, true);
  }

  /** @param {{properties?: object}} saved */
  #restore({ properties = {} }) {
    this.#update();
    // its height is that of all widgets
    if (!(FOLDED in properties)) this.#resize();
  }

  #update() {
    const widgets = [...this.#defaults.keys()].filter((widget) => widget.advanced);
    const changed = widgets.filter((widget) => widget.value !== this.#defaults.get(widget)).length;
    const count = text("advanced.more", { count: widgets.length });
    const more = changed ? `${count}, ${text("advanced.changed", { count: changed })}` : count;
    this.#button.textContent = this.node.showAdvanced ? `▾ ${text("advanced.fewer")}` : `▸ ${more}`;
    this.#button.setAttribute("aria-expanded", String(Boolean(this.node.showAdvanced)));
    this.#button.parentElement?.toggleAttribute("hidden", widgets.length === 0);
  }
}
