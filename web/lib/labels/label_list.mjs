// @ts-check
/** The dialog with all labels of a sheet: a picture and a text field for each. */
import { keepEvents, make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { cropStyle } from "../viewer/geometry.mjs";
import { backgroundOf } from "../viewer/page_image.mjs";
import { asLabel, labelLines, queueAgain, setLabels } from "./edits.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("../viewer/sheets.mjs").Sheet} Sheet */
/** @typedef {import("../viewer/sheets.mjs").Cell} Cell */

/** Lines of a field before it scrolls. */
const MAX_LINES = 4;
/** The longer side of a picture in pixels. */
const THUMB_SIZE = 56;

/**
 * Open the dialog.
 * @param {GraphNode} node
 * @param {Sheet} sheet with a report
 */
export function openLabelList(node, sheet) {
  new LabelList(node, sheet).open();
}

class LabelList {
  /** @type {{index: number, before: string, field: HTMLTextAreaElement}[]} */
  #rows = [];
  #status = make("p", { cls: "clip-grid-labels-status", attrs: { role: "status" } });
  #dialog = make("dialog", { cls: "clip-grid clip-grid-labels", attrs: { "aria-label": text("list.title") } });

  /**
   * @param {GraphNode} node
   * @param {Sheet} sheet
   */
  constructor(node, sheet) {
    this.node = node;
    this.sheet = sheet;
    this.#dialog.append(this.#form());
    this.#dialog.addEventListener("cancel", (event) => this.#onCancel(event));
    this.#dialog.addEventListener("close", () => this.#dialog.remove());
    this.#dialog.addEventListener("keydown", (event) => this.#onKey(event));
    keepEvents(this.#dialog, "keyup", "copy", "cut", "paste", "wheel", "contextmenu");
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#rows[0]?.field.focus();
  }

  #form() {
    const { report, cells } = this.sheet;
    const lines = labelLines(this.node, report);
    const placed = cells.map((cell) => ({ cell, index: report?.cells?.[cell.index]?.index ?? cell.index }));
    const items = placed
      .sort((a, b) => a.index - b.index)
      .map(({ cell, index }) => this.#row(cell, index, asLabel(lines[index] ?? "")));
    return make(
      "form",
      { attrs: { method: "dialog" }, on: { submit: (event) => event.preventDefault() } },
      make("h2", { text: text("list.heading", { node: this.node.title }) }),
      make("p", { cls: "clip-grid-labels-help", text: text("list.help") }),
      make("ol", { cls: "clip-grid-labels-list" }, ...items),
      this.#status,
      make(
        "div",
        { cls: "clip-grid-labels-actions" },
        button(text("editor.cancel"), () => this.#dialog.close()),
        button(text("list.save"), () => this.#save()),
        button(text("list.save_and_queue"), () => this.#saveAndQueue(), true),
      ),
    );
  }

  /**
   * @param {Cell} cell
   * @param {number} index place of the picture among the inputs
   * @param {string} label
   */
  #row(cell, index, label) {
    const name = cell.file || text("list.picture", { number: index + 1 });
    const lines = Math.min(MAX_LINES, label.split("\n").length);
    const field = make("textarea", {
      attrs: { rows: lines, spellcheck: "false", "aria-label": text("list.label_of", { name }) },
    });
    field.value = label;
    this.#rows.push({ index, before: label, field });
    return make(
      "li",
      {},
      this.#thumb(cell),
      make("span", { cls: "clip-grid-labels-name", text: name, title: cell.path || name }),
      field,
    );
  }

  /** @param {Cell} cell */
  #thumb(cell) {
    const page = this.sheet.pages[cell.page];
    const [, , width, height] = cell.imageBox;
    const scale = THUMB_SIZE / Math.max(width, height);
    const crop = page?.width ? { "background-image": backgroundOf(page), ...cropStyle(cell.imageBox, page) } : {};
    const size = { width: `${Math.round(width * scale)}px`, height: `${Math.round(height * scale)}px` };
    return make(
      "span",
      { cls: "clip-grid-labels-thumb", attrs: { "aria-hidden": "true" } },
      make("span", { style: { ...crop, ...size } }),
    );
  }

  /** The labels that were changed, by the place of their picture. */
  get #changed() {
    return new Map(
      this.#rows.filter(({ field, before }) => field.value !== before).map(({ index, field }) => [index, field.value]),
    );
  }

  #save() {
    const isDone = setLabels(this.node, this.sheet.report, this.#changed);
    if (isDone) this.#dialog.close();
    return isDone;
  }

  #saveAndQueue() {
    if (this.#save()) void queueAgain();
  }

  /**
   * Escape with changes asks for another Escape.
   * @param {Event} event
   */
  #onCancel(event) {
    if (!this.#changed.size || this.#status.textContent) return;
    event.preventDefault();
    this.#status.textContent = text("list.unsaved");
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    event.stopPropagation();
    if (event.key !== "Escape") this.#status.textContent = "";
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#saveAndQueue();
  }
}

/**
 * @param {string} label
 * @param {() => void} click
 * @param {boolean} [isMain]
 */
function button(label, click, isMain = false) {
  return make("button", { text: label, attrs: { type: "button" }, data: { main: String(isMain) }, on: { click } });
}
