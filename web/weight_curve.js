// @ts-check
/** The curve in IP-Adapter Apply: how strongly each place of the model looks at the references. */
import { app } from "../../scripts/app.js";
import { keepEvents, loadStyles, make } from "./lib/dom.mjs";
import { APPLY_NODE, callAfter, placeWidget, widgetOf } from "./lib/front_end.mjs";
import { factorsOf, withFactor } from "./lib/ip_adapter/place_weights.mjs";
import { loadTexts, text } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */
/** @typedef {Record<string, Record<string, number[]>>} Curves by family and weight type */
/** @typedef {Record<string, [part: "input" | "middle" | "output", count: number][]>} Parts by family */

const HEIGHT = 118;
/** The weight at the top, unless one is larger. */
const TOP = 1;
const TITLES = /** @type {Record<string, string>} */ ({ sd15: "SD 1.5", sd2: "SD 2", sdxl: "SDXL", flux: "FLUX.1" });
const USUAL = "sdxl";
const PARTS = /** @type {const} */ ({ input: "curve.input", middle: "curve.middle", output: "curve.output" });

app.registerExtension({
  name: "clip_grid.weight_curve",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    if (node.comfyClass === APPLY_NODE) new WeightCurve(node);
  },
});

class WeightCurve {
  #bars = make("div", { cls: "clip-grid-curve-bars" });
  #parts = make("div", { cls: "clip-grid-curve-parts" });
  #caption = make("div", { cls: "clip-grid-curve-caption" });
  #element = make("div", { cls: "clip-grid clip-grid-curve" }, this.#caption, this.#bars, this.#parts);
  /** The weights of a model that no curve is known of, as the last run told them, and of which widgets. */
  #told = { key: "", weights: /** @type {number[]} */ ([]) };
  /** @type {number[]} */
  #curve = [];
  #top = TOP;

  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    keepEvents(this.#element, "pointerdown", "pointermove", "dblclick");
    this.#bars.addEventListener("pointerdown", (event) => this.#press(event));
    this.#bars.addEventListener("pointermove", (event) => event.buttons & 1 && this.#set(event));
    this.#bars.addEventListener("pointerup", () => node.graph?.afterChange?.());
    // "Nodes 2.0" would share the space with the lines below
    this.#element.style.minHeight = `${HEIGHT - 8}px`;
    const height = () => HEIGHT;
    const widget = node.addDOMWidget("clip_grid_curve", "clip_grid_curve", this.#element, {
      serialize: false,
      hideOnZoom: false,
      margin: 4,
      getMinHeight: height,
      getMaxHeight: height,
      getHeight: height,
    });
    widget.serialize = false;
    placeWidget(node, widget);
    const update = () => this.#show();
    for (const name of ["weight", "weight_type", "place_weights"]) {
      const one = widgetOf(node, name);
      if (one) callAfter(one, "callback", update);
    }
    for (const hook of /** @type {const} */ (["onConfigure", "onConnectionsChange", "onWidgetChanged"])) {
      callAfter(node, hook, update);
    }
    callAfter(node, "onExecuted", (output) => {
      const weights = /** @type {number[]} */ (output?.clip_places ?? []);
      this.#told = { key: this.#key(), weights };
      update();
    });
    // another adapter in the loader tells no other node
    this.#element.addEventListener("pointerenter", update);
    this.#show();
  }

  #show() {
    const { family, isAssumed, isUnknown } = this.#family();
    const places = this.#places();
    const weights = places.map((place) => place.weight);
    this.#top = Math.max(TOP, ...weights.map(Math.abs));
    const told =
      this.#told.key === this.#key() && this.#told.weights.length !== weights.length ? this.#told.weights : null;
    const shown = told ?? weights;
    this.#bars.replaceChildren(...shown.map((weight, place) => this.#bar(weight, place)));
    const isWrong = !told && !weights.length;
    const title = told ? text("curve.places", { count: told.length }) : (TITLES[family] ?? family);
    const key = isUnknown ? "curve.unknown" : isAssumed && !told ? "curve.assumed" : "curve.caption";
    this.#caption.textContent = isWrong && !isUnknown ? text("curve.wrong") : text(key, { model: title });
    this.#caption.dataset.alert = String(isWrong && !isUnknown);
    const parts = told || isWrong ? [] : (this.#declared().parts[family] ?? []);
    const spans = parts.map(([part, count]) => {
      const name = text(PARTS[part]);
      return make("span", { text: name, title: name, style: { "flex-grow": String(count) } });
    });
    this.#parts.replaceChildren(...spans);
    const listed = shown.map((weight) => weight.toFixed(2)).join(", ");
    this.#bars.setAttribute("role", "img");
    this.#bars.setAttribute("aria-label", text("curve.label", { weights: listed }));
  }

  /**
   * @param {number} weight
   * @param {number} place
   */
  #bar(weight, place) {
    const title = text("curve.bar", { place, weight: weight.toFixed(2) });
    const height = `${(100 * Math.min(Math.abs(weight), this.#top)) / this.#top}%`;
    const fill = make("div", { data: { sign: Math.sign(weight) }, style: { height } });
    return make("div", { cls: "clip-grid-curve-bar", title }, fill);
  }

  /** The weight of each place, and that of its curve alone; none for a text that cannot be read. */
  #places() {
    this.#curve =
      this.#declared().curves[this.#family().family]?.[String(widgetOf(this.node, "weight_type")?.value)] ?? [];
    const factors = factorsOf(String(widgetOf(this.node, "place_weights")?.value ?? ""), this.#curve.length) ?? [];
    const weight = Number(widgetOf(this.node, "weight")?.value ?? 1);
    return factors.map((factor, place) => ({ factor, weight: factor * weight * this.#curve[place] }));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    this.node.graph?.beforeChange?.();
    this.#bars.setPointerCapture(event.pointerId);
    this.#set(event);
  }

  /**
   * Give the place under the pointer the weight at the pointer's height.
   * @param {PointerEvent} event
   */
  #set(event) {
    const widget = widgetOf(this.node, "place_weights");
    const places = this.#places();
    if (!widget || !places.length) return;
    const box = this.#bars.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * places.length);
    const unit = (this.#curve[place] ?? 0) * Number(widgetOf(this.node, "weight")?.value ?? 1);
    // nothing times 0 is more than 0
    if (!unit) return;
    const share = Math.min(1, Math.max(0, (box.bottom - event.clientY) / box.height));
    const factor = Math.round((20 * share * this.#top) / Math.abs(unit)) / 20;
    widget.value = withFactor(String(widget.value ?? ""), place, factor);
    widget.callback?.(widget.value);
  }

  /**
   * The family of the adapter in the loader that is linked; else that of the last run's model; else the usual one.
   * isUnknown: no curve is known for it.
   */
  #family() {
    const slot = this.node.inputs?.findIndex((input) => input.name === "adapter") ?? -1;
    // a new node is in no graph yet
    const loader = slot < 0 || !this.node.graph ? null : this.node.getInputNode(slot);
    const families = loader?.constructor.nodeData?.input?.required?.adapter;
    const known = Array.isArray(families) ? families[1]?.clip_grid_families : null;
    const linked = known?.[String(loader && widgetOf(loader, "adapter")?.value)];
    const { curves } = this.#declared();
    if (linked) return { family: linked, isAssumed: false, isUnknown: !(linked in curves) };
    const same = Object.keys(curves).find((one) => curves[one].full?.length === this.#told.weights.length);
    return { family: same ?? USUAL, isAssumed: !same, isUnknown: false };
  }

  #key() {
    return ["weight_type", "place_weights"].map((name) => widgetOf(this.node, name)?.value).join("\n");
  }

  /** @returns {{curves: Curves, parts: Parts}} */
  #declared() {
    const declared = this.node.constructor.nodeData?.input?.optional?.weight_type;
    const extra = Array.isArray(declared) ? declared[1] : {};
    return { curves: extra?.clip_grid_curves ?? {}, parts: extra?.clip_grid_parts ?? {} };
  }
}
