// @ts-check
/** The preview of the layout in a node: a button that folds it, the drawing, and number and size of the pictures. */
import { keepEvents, make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { drawPage } from "./drawing.mjs";

/** @typedef {import("./plans.mjs").Answer} Answer */
/** @typedef {import("./plans.mjs").Plan} Plan */
/** @typedef {import("./plans.mjs").Example} Example */
/** @typedef {Example & {open: boolean}} State saved with the workflow */

/** A narrower node shows no drawing. */
const MIN_WIDTH = 170;
/** Pictures and pixels that the server plans for. */
export const LIMITS = { count: 2000, width: 16384, height: 16384 };

export class LayoutPanel {
  /** @type {Answer | null} */
  #answer = null;
  /** @type {string[]} inputs whose values are not known before the run */
  #unknown = [];
  #page = 0;
  #fold = make("button", {
    cls: "clip-grid-plan-fold",
    attrs: { type: "button" },
    on: { click: () => this.#toggle() },
  });
  #turn = make("button", {
    cls: "clip-grid-plan-turn",
    attrs: { type: "button" },
    title: text("page.next"),
    on: { click: () => this.#turnPage() },
  });
  #sheet = make("div", { cls: "clip-grid-plan-sheet", attrs: { role: "img" } });
  #note = make("div", { cls: "clip-grid-plan-note", attrs: { role: "status" } });

  /**
   * @param {State} state it is changed in place
   * @param {{onChange: () => void, onFold: () => void}} listeners
   */
  constructor(state, { onChange, onFold }) {
    this.state = state;
    this.onChange = onChange;
    this.onFold = onFold;
    this.fields = {
      count: this.#field("count", text("layout.example_count")),
      width: this.#field("width", text("layout.example_width")),
      height: this.#field("height", text("layout.example_height")),
    };
    const form = make(
      "div",
      { cls: "clip-grid-plan-form" },
      this.fields.count,
      ` ${text("layout.pictures")} `,
      this.fields.width,
      " × ",
      this.fields.height,
      " px",
    );
    keepEvents(form, "keydown", "keyup", "copy", "paste");
    const head = make("div", { cls: "clip-grid-plan-head" }, this.#fold, this.#turn);
    const body = make("div", { cls: "clip-grid-plan-body" }, this.#sheet, this.#note, form);
    this.element = make("div", { cls: "clip-grid clip-grid-plan" }, head, body);
    new ResizeObserver(() => this.#fit()).observe(this.element);
    this.#render();
  }

  /**
   * @param {Answer} answer
   * @param {string[]} unknown
   */
  show(answer, unknown) {
    // a remembered answer is the same object each time
    if (answer === this.#answer && unknown.join() === this.#unknown.join()) return;
    this.#answer = answer;
    this.#unknown = unknown;
    this.#render();
  }

  /** Show the state again after it was changed elsewhere. */
  reset() {
    for (const name of /** @type {const} */ (["count", "width", "height"])) {
      this.fields[name].value = String(this.state[name]);
    }
    this.#render();
  }

  #toggle() {
    this.state.open = !this.state.open;
    this.#render();
    this.onFold();
  }

  #turnPage() {
    this.#page += 1;
    this.#render();
  }

  #fit() {
    this.element.dataset.small = String(this.element.offsetWidth > 0 && this.element.offsetWidth < MIN_WIDTH);
  }

  #render() {
    const answer = this.#answer;
    this.element.dataset.open = String(this.state.open);
    this.#fold.setAttribute("aria-expanded", String(this.state.open));
    if (!answer) return this.#showText(text("layout.title"), "");
    if ("error" in answer) return this.#showText(text("layout.impossible"), answer.error, true);
    return this.#showPlan(answer);
  }

  /** @param {Plan} plan */
  #showPlan(plan) {
    this.#page %= Math.max(1, plan.pages.length);
    const page = plan.pages[this.#page];
    const rows = text("layout.rows", { count: page.rows });
    const columns = text("layout.columns", { count: page.columns });
    const size = `${rows} × ${columns}, ${page.width} × ${page.height} px`;
    const linked = this.#unknown.length ? [text("layout.linked", { names: this.#unknown.join(", ") })] : [];
    const pages = plan.page_count > 1 ? `, ${text("count.pages", { count: plan.page_count })}` : "";
    // unfolded, the fields say which pictures are meant
    const pictures = this.state.open ? "" : `${text("count.pictures", { count: this.state.count })}: `;
    this.#showText(`${pictures}${size}${pages}`, [...linked, ...plan.notes].join("; "));
    this.#turn.textContent = text("layout.page", { number: this.#page + 1 });
    this.#turn.hidden = plan.pages.length < 2;
    this.#sheet.setAttribute("aria-label", text("layout.of_sheet", { size }));
    this.#sheet.dataset.transparent = String(plan.colors.page === "transparent");
    this.#sheet.replaceChildren(drawPage(plan, page));
  }

  /**
   * @param {string} head
   * @param {string} note
   * @param {boolean} [isError]
   */
  #showText(head, note, isError = false) {
    this.#fold.textContent = `${this.state.open ? "▾" : "▸"} ${head}`;
    this.#fold.title = isError ? note : head;
    this.#note.textContent = this.#note.title = note;
    this.#note.hidden = !note;
    this.element.dataset.error = String(isError);
    this.#sheet.hidden = isError;
    this.#turn.hidden = true;
  }

  /**
   * @param {keyof Example} name
   * @param {string} title
   */
  #field(name, title) {
    const attrs = {
      type: "number",
      name,
      min: 1,
      max: LIMITS[name],
      step: 1,
      value: this.state[name],
      "aria-label": title,
    };
    const field = make("input", { attrs, title, on: { input: () => this.#read(name, field) } });
    return field;
  }

  /**
   * @param {keyof Example} name
   * @param {HTMLInputElement} field
   */
  #read(name, field) {
    const value = Math.round(Number(field.value));
    const isValid = value >= 1 && value <= LIMITS[name];
    field.setAttribute("aria-invalid", String(!isValid));
    if (!isValid) return;
    this.state[name] = value;
    this.onChange();
  }
}
