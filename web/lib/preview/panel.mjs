// @ts-check
/** The preview as it stands in a node: a line that folds it, the drawing, and for how many pictures of which size. */
import { make } from "../dom.mjs";
import { drawPage } from "./drawing.mjs";

/** @typedef {import("./ask.mjs").Answer} Answer */
/** @typedef {import("./ask.mjs").Plan} Plan */
/** @typedef {{open: boolean, count: number, width: number, height: number}} State */

/** Narrower than this there is nothing to be seen. */
const LEAST_WIDTH = 170;
/** Pictures and pixels that the server plans for. */
const LIMITS = { count: 2000, width: 16384, height: 16384 };

export class Panel {
  /** @type {Answer | null} */
  answer = null;
  /** @type {string[]} inputs whose values are not known before the run */
  unknown = [];
  page = 0;

  /**
   * @param {State} state it is changed in place
   * @param {{changed: () => void, folded: () => void}} on
   */
  constructor(state, on) {
    this.state = state;
    this.on = on;
    this.fold = make("button", { cls: "clip-grid-plan-fold", attrs: { type: "button" }, on: { click: () => this.toggle() } });
    this.sheet = make("div", { cls: "clip-grid-plan-sheet", attrs: { role: "img" } });
    this.turn = make("button", { cls: "clip-grid-plan-turn", attrs: { type: "button" }, title: "Next page", on: { click: () => this.turnPage() } });
    this.note = make("div", { cls: "clip-grid-plan-note", attrs: { role: "status" } });
    this.form = make("div", { cls: "clip-grid-plan-form" }, this.field("count", "pictures"), " pictures, ", this.field("width", "width"), " × ", this.field("height", "height"), " px");
    const head = make("div", { cls: "clip-grid-plan-head" }, this.fold, this.turn);
    this.body = make("div", { cls: "clip-grid-plan-body" }, this.sheet, this.note, this.form);
    this.element = make("div", { cls: "clip-grid clip-grid-plan" }, head, this.body);
    // keys and wheel of the fields are not for the canvas
    for (const kind of ["keydown", "keyup", "copy", "paste"]) this.form.addEventListener(kind, (event) => event.stopPropagation());
    new ResizeObserver(() => this.fit()).observe(this.element);
    this.render();
  }

  /** Whether the drawing is to be seen. */
  get isSeen() {
    return this.state.open && !this.isSmall;
  }

  get isSmall() {
    return this.element.offsetWidth > 0 && this.element.offsetWidth < LEAST_WIDTH;
  }

  /**
   * @param {Answer} answer
   * @param {string[]} unknown
   */
  show(answer, unknown) {
    // a known answer is the same object each time
    if (answer === this.answer && unknown.join() === this.unknown.join()) return;
    this.answer = answer;
    this.unknown = unknown;
    this.render();
  }

  /** The fields say what the state says, after a workflow was loaded. */
  reset() {
    for (const input of this.form.querySelectorAll("input")) input.value = String(this.state[/** @type {"count"} */ (input.name)]);
    this.render();
  }

  toggle() {
    this.state.open = !this.state.open;
    this.render();
    this.on.folded();
  }

  turnPage() {
    this.page += 1;
    this.render();
  }

  fit() {
    this.element.dataset.small = String(this.isSmall);
  }

  render() {
    this.element.dataset.open = String(this.state.open);
    this.fold.setAttribute("aria-expanded", String(this.state.open));
    const answer = this.answer;
    if (!answer) return this.tell("Layout", "");
    if ("error" in answer) return this.tell("Layout: not possible", answer.error, true);
    this.page %= Math.max(1, answer.pages.length);
    const page = answer.pages[this.page];
    const size = `${count(page.rows, "row")} × ${count(page.columns, "column")}, ${page.width} × ${page.height} px`;
    this.tell(answer.page_count > 1 ? `${size}, ${answer.page_count} pages` : size, notesOf(answer, this.unknown));
    this.turn.textContent = `page ${this.page + 1}`;
    this.turn.hidden = answer.pages.length < 2;
    this.sheet.setAttribute("aria-label", `Layout of the sheet: ${size}`);
    this.sheet.dataset.transparent = String(answer.colors.page === "transparent");
    this.sheet.replaceChildren(drawPage(answer, page));
  }

  /**
   * @param {string} head
   * @param {string} note
   * @param {boolean} [isError]
   */
  tell(head, note, isError = false) {
    this.fold.textContent = `${this.state.open ? "▾" : "▸"} ${head}`;
    this.fold.title = isError ? note : head;
    this.note.textContent = note;
    this.note.title = note;
    this.note.hidden = !note;
    this.element.dataset.error = String(isError);
    this.sheet.hidden = isError;
    this.turn.hidden = true;
  }

  /**
   * @param {"count" | "width" | "height"} name
   * @param {string} title
   */
  field(name, title) {
    const given = { type: "number", name, min: 1, max: LIMITS[name], step: 1, value: this.state[name], "aria-label": `example ${title}` };
    return make("input", { attrs: given, title: `Example: ${title}`, on: { input: (event) => this.read(name, event.target) } });
  }

  /**
   * @param {"count" | "width" | "height"} name
   * @param {HTMLInputElement} input
   */
  read(name, input) {
    const value = Math.round(Number(input.value));
    const isGood = value >= 1 && value <= LIMITS[name];
    input.setAttribute("aria-invalid", String(!isGood));
    if (!isGood) return;
    this.state[name] = value;
    this.on.changed();
  }
}

/**
 * @param {number} number
 * @param {string} word
 */
function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/**
 * @param {Plan} plan
 * @param {string[]} unknown
 */
function notesOf(plan, unknown) {
  const linked = unknown.length ? [`${unknown.join(", ")}: linked, known when it runs`] : [];
  return [...linked, ...plan.notes].join("; ");
}
