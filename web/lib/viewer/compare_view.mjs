// @ts-check
/** Two cells over each other, with a slider that uncovers the second one. */
import { make } from "../dom.mjs";
import { cropOf } from "./tile.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./cells.mjs").Cell} Cell */

export class CompareView {
  /** @type {[Cell, Cell] | null} */
  pair = null;
  /** @type {Cell[]} */
  chosen = [];

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.slider = make("input", {
      attrs: { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "How much of the left picture is shown" },
      on: { input: () => this.draw() },
    });
    this.stage = make("div", { cls: "clip-grid-compare-stage" });
    this.names = make("div", { cls: "clip-grid-compare-names" });
    this.element = make("div", { cls: "clip-grid-compare", attrs: { tabindex: -1 } }, this.stage, this.names);
    this.stage.addEventListener("pointerdown", (event) => event.target !== this.slider && this.stage.setPointerCapture(event.pointerId));
    this.stage.addEventListener("pointermove", (event) => this.follow(event));
    this.stage.addEventListener("pointerdown", (event) => this.follow(event));
  }

  close() {}

  /** Shows what the state says. */
  update() {
    const { state } = this.viewer;
    if (!this.pair || !this.pair.every((cell) => state.sheet.cells.includes(cell)) || this.chosen !== state.chosen) this.show(state.pair());
  }

  /** Forget the pair, so that the next one is what is chosen then. */
  leave() {
    this.pair = null;
  }

  /** @param {[Cell, Cell] | null} pair */
  show(pair) {
    const { state } = this.viewer;
    [this.pair, this.chosen] = [pair, state.chosen];
    if (!pair) {
      this.stage.replaceChildren(make("p", { cls: "clip-grid-missing", text: "There are no two cells to compare." }));
      return this.names.replaceChildren();
    }
    const ratio = String(pair[0].imageBox[2] / pair[0].imageBox[3]);
    const crops = pair.map((cell) => this.crop(cell, ratio));
    crops[1].classList.add("clip-grid-compare-over");
    this.stage.replaceChildren(...crops, make("div", { cls: "clip-grid-compare-line", style: { "--clip-grid-ratio": ratio } }, make("div"), this.slider));
    this.names.replaceChildren(this.name(pair[0], "left"), make("button", { text: "⇄ Swap", title: "Swap (f)", on: { click: () => this.swap() } }), this.name(pair[1], "right"));
    this.draw();
    this.focus();
  }

  /**
   * @param {Cell} cell
   * @param {string} ratio of the first picture: the second lies in a frame of the same form
   */
  crop(cell, ratio) {
    const picture = cropOf(cell, this.viewer.state.sheet.pages[cell.page], { layers: true });
    return make("div", { cls: "clip-grid-compare-frame", style: { "--clip-grid-ratio": ratio } }, picture);
  }

  /**
   * @param {Cell} cell
   * @param {string} side
   */
  name({ label, file }, side) {
    return make("p", {}, make("span", { cls: "clip-grid-quiet", text: `${side}: ` }), label || file);
  }

  draw() {
    this.stage.style.setProperty("--clip-grid-at", `${this.slider.value}%`);
  }

  /** @param {PointerEvent} event */
  follow(event) {
    const frame = this.stage.querySelector(".clip-grid-compare-frame");
    if (!frame || !(event.buttons & 1) || event.target === this.slider) return;
    const { left, width } = frame.getBoundingClientRect();
    this.at((100 * (event.clientX - left)) / width);
  }

  /** @param {number} percent */
  at(percent) {
    this.slider.value = String(percent);
    this.draw();
  }

  swap() {
    if (this.pair) this.show([this.pair[1], this.pair[0]]);
  }

  /**
   * The other picture is the next one, or the one before.
   * @param {number} steps
   */
  other(steps) {
    if (!this.pair) return;
    const { state } = this.viewer;
    const [first, second] = this.pair;
    const next = state.step(second, steps);
    const beyond = next === first ? state.step(next, steps) : next;
    if (beyond && beyond !== first) this.show([first, beyond]);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was one of this view's
   */
  key({ key, shiftKey }) {
    const step = shiftKey ? 1 : 5;
    if (key === "ArrowLeft") this.at(Number(this.slider.value) - step);
    else if (key === "ArrowRight") this.at(Number(this.slider.value) + step);
    else if (key === "Home") this.at(0);
    else if (key === "End") this.at(100);
    else if (key === "ArrowDown") this.other(1);
    else if (key === "ArrowUp") this.other(-1);
    else if (key === "f") this.swap();
    else return false;
    return true;
  }

  reveal() {}

  focus() {
    // the slider is not there without two cells, and keys need a place in the viewer
    (this.pair ? this.slider : this.element).focus();
  }

  anchor() {
    return this.names.getBoundingClientRect();
  }
}
