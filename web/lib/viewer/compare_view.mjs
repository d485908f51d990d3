// @ts-check
/** The view of two cells over each other, with a slider that uncovers the second one. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { pictureElement } from "./page_image.mjs";
import { originalOf } from "./sheets.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Cell} Cell */

export class CompareView {
  /** @type {[Cell, Cell] | null} */
  #pair = null;
  /** @type {Cell[]} what was selected when the pair was taken */
  #selected = [];

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.slider = make("input", {
      attrs: { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": text("compare.slider") },
      on: { input: () => this.#draw() },
    });
    this.stage = make("div", { cls: "clip-grid-compare-stage" });
    this.names = make("div", { cls: "clip-grid-compare-names" });
    this.element = make("div", { cls: "clip-grid-compare", attrs: { tabindex: -1 } }, this.stage, this.names);
    this.stage.addEventListener(
      "pointerdown",
      (event) => event.target !== this.slider && this.stage.setPointerCapture(event.pointerId),
    );
    this.stage.addEventListener("pointermove", (event) => this.#follow(event));
    this.stage.addEventListener("pointerdown", (event) => this.#follow(event));
  }

  close() {}

  /** Show what the state says. */
  update() {
    const { state } = this.viewer;
    const isCurrent =
      this.#pair?.every((cell) => state.sheet.cells.includes(cell)) && this.#selected === state.selected;
    if (!isCurrent) this.#show(state.pair());
  }

  /** Forget the pair: the next one is what is selected then. */
  leave() {
    this.#pair = null;
  }

  /** @param {[Cell, Cell] | null} pair */
  #show(pair) {
    [this.#pair, this.#selected] = [pair, this.viewer.state.selected];
    if (!pair) {
      this.stage.replaceChildren(make("p", { cls: "clip-grid-missing", text: text("compare.no_pair") }));
      this.names.replaceChildren();
      return;
    }
    const [left, right] = pair;
    // the second picture lies in a frame of the shape of the first
    const style = { "--clip-grid-ratio": String(left.imageBox[2] / left.imageBox[3]) };
    const line = make("div", { cls: "clip-grid-compare-line", style }, make("div"), this.slider);
    this.stage.replaceChildren(
      this.#frame(left, "", style),
      this.#frame(right, " clip-grid-compare-over", style),
      line,
    );
    const swap = make("button", {
      text: `⇄ ${text("compare.swap")}`,
      title: `${text("compare.swap")} (f)`,
      on: { click: () => this.#swap() },
    });
    this.names.replaceChildren(
      nameElement(left, text("compare.left")),
      swap,
      nameElement(right, text("compare.right")),
      ...(pair.some((cell) => this.#isLabelled(cell)) ? [note(text("compare.labelled"))] : []),
    );
    this.#draw();
    this.focus();
  }

  /**
   * @param {Cell} cell
   * @param {string} cls
   * @param {Record<string, string>} style
   */
  #frame(cell, cls, style) {
    return make(
      "div",
      { cls: `clip-grid-compare-frame${cls}`, style },
      pictureElement(cell, this.viewer.state.sheet.pages[cell.page]),
    );
  }

  /**
   * Whether the label is a part of the picture that is shown.
   * @param {Cell} cell
   */
  #isLabelled(cell) {
    const isOver = this.viewer.state.sheet.report?.label_position === "over";
    return isOver && cell.label !== "" && !originalOf(cell);
  }

  #draw() {
    this.stage.style.setProperty("--clip-grid-at", `${this.slider.value}%`);
  }

  /** @param {PointerEvent} event */
  #follow(event) {
    const frame = this.stage.querySelector(".clip-grid-compare-frame");
    if (!frame || !(event.buttons & 1) || event.target === this.slider) return;
    const { left, width } = frame.getBoundingClientRect();
    this.#moveTo((100 * (event.clientX - left)) / width);
  }

  /** @param {number} percent */
  #moveTo(percent) {
    this.slider.value = String(percent);
    this.#draw();
  }

  #swap() {
    if (this.#pair) this.#show([this.#pair[1], this.#pair[0]]);
  }

  /**
   * Compare the first cell with the one after the second, or before it.
   * @param {number} steps
   */
  #compareWithNext(steps) {
    if (!this.#pair) return;
    const { state } = this.viewer;
    const [first, second] = this.#pair;
    const next = state.step(second, steps);
    const other = next === first ? state.step(next, steps) : next;
    if (other && other !== first) this.#show([first, other]);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key is one of this view
   */
  key({ key, shiftKey }) {
    const step = shiftKey ? 1 : 5;
    if (key === "ArrowLeft") this.#moveTo(Number(this.slider.value) - step);
    else if (key === "ArrowRight") this.#moveTo(Number(this.slider.value) + step);
    else if (key === "Home") this.#moveTo(0);
    else if (key === "End") this.#moveTo(100);
    else if (key === "ArrowDown") this.#compareWithNext(1);
    else if (key === "ArrowUp") this.#compareWithNext(-1);
    else if (key === "f") this.#swap();
    else return false;
    return true;
  }

  reveal() {}

  focus() {
    // without two cells there is no slider, and the keys need an element in the viewer that has the focus
    (this.#pair ? this.slider : this.element).focus();
  }

  anchor() {
    return this.names.getBoundingClientRect();
  }
}

/** @param {string} shown */
function note(shown) {
  return make("p", { cls: "clip-grid-compare-note clip-grid-quiet", text: shown });
}

/**
 * @param {Cell} cell
 * @param {string} side
 */
function nameElement({ label, file }, side) {
  return make("p", {}, make("span", { cls: "clip-grid-quiet", text: `${side} ` }), label || file);
}
