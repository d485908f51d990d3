// @ts-check
/** All labels of a sheet in one list: a picture and a field for each, for the keyboard. */
import { make } from "../dom.mjs";
import { queueAgain, setLabels } from "../edits.mjs";
import { cropStyle } from "../viewer/boxes.mjs";
import { layersOf } from "../viewer/pictures.mjs";
import { allLines, asLabel } from "./lines.mjs";
import { labelsWidget } from "./refusals.mjs";

/** @typedef {import("../viewer/sheets.mjs").Sheet} Sheet */
/** @typedef {import("../viewer/sheets.mjs").Cell} Cell */

/** Lines of a field before it scrolls. */
const MOST_ROWS = 4;
const THUMB = 56;

/**
 * Open the list over the page.
 * @param {any} node
 * @param {Sheet} sheet with a report
 */
export function openLabelList(node, sheet) {
  new LabelList(node, sheet).open();
}

class LabelList {
  /** @type {{index: number, before: string, field: HTMLTextAreaElement}[]} */
  rows = [];

  /**
   * @param {any} node
   * @param {Sheet} sheet
   */
  constructor(node, sheet) {
    this.node = node;
    this.sheet = sheet;
    const { report } = sheet;
    this.lines = allLines(String(labelsWidget(node).value ?? ""), report.cells, report.images_found);
    this.status = make("p", { cls: "clip-grid-labels-status", attrs: { role: "status" } });
    this.dialog = make("dialog", { cls: "clip-grid clip-grid-labels", attrs: { "aria-label": "Edit labels" } }, this.form());
    this.dialog.addEventListener("cancel", (event) => this.leave(event));
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    // keys, copied texts and the wheel are not for the canvas
    for (const kind of ["keyup", "copy", "cut", "paste", "wheel", "contextmenu"]) this.dialog.addEventListener(kind, (event) => event.stopPropagation());
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.rows[0]?.field.focus();
  }

  form() {
    const { report, cells } = this.sheet;
    const given = (/** @type {Cell} */ cell) => report.cells[cell.index].index;
    const list = make("ol", { cls: "clip-grid-labels-list" });
    for (const cell of [...cells].sort((a, b) => given(a) - given(b))) list.append(this.row(cell, given(cell)));
    return make("form", { attrs: { method: "dialog" }, on: { submit: (event) => event.preventDefault() } },
      make("h2", { text: `Labels of ${this.node.title}` }),
      make("p", { cls: "clip-grid-labels-help", text: "One field for each picture, in the order in which they were given. An empty field means no label. Ctrl+Enter saves and queues." }),
      list,
      this.status,
      make("div", { cls: "clip-grid-labels-actions" },
        button("Cancel", () => this.dialog.close()),
        button("Save", () => this.save()),
        button("Save and queue", () => this.saveAndQueue(), true)));
  }

  /**
   * @param {Cell} cell
   * @param {number} index place among the pictures as they were given
   */
  row(cell, index) {
    const label = asLabel(this.lines[index] ?? "");
    const name = cell.file || `picture ${index + 1}`;
    const lines = Math.min(MOST_ROWS, label.split("\n").length);
    const field = make("textarea", { attrs: { rows: lines, spellcheck: "false", "aria-label": `Label of ${name}` } });
    field.value = label;
    this.rows.push({ index, before: label, field });
    return make("li", {}, this.thumb(cell), make("span", { cls: "clip-grid-labels-name", text: name, title: cell.path || name }), field);
  }

  /** @param {Cell} cell */
  thumb(cell) {
    const page = this.sheet.pages[cell.page];
    const [, , width, height] = cell.imageBox;
    const shrink = THUMB / Math.max(width, height);
    const style = page?.width ? { "background-image": layersOf(page), ...cropStyle(cell.imageBox, page) } : {};
    const size = { width: `${Math.round(width * shrink)}px`, height: `${Math.round(height * shrink)}px` };
    return make("span", { cls: "clip-grid-labels-thumb", attrs: { "aria-hidden": "true" } }, make("span", { style: { ...style, ...size } }));
  }

  /** The labels that were changed, by the place of their picture. */
  get changed() {
    return new Map(this.rows.filter(({ field, before }) => field.value !== before).map(({ index, field }) => [index, field.value]));
  }

  save() {
    const isDone = setLabels(this.node, this.sheet.report, this.changed);
    if (isDone) this.dialog.close();
    return isDone;
  }

  saveAndQueue() {
    if (this.save()) void queueAgain();
  }

  /**
   * Escape with changes asks for another Escape.
   * @param {Event} event
   */
  leave(event) {
    if (!this.changed.size || this.status.textContent) return;
    event.preventDefault();
    this.status.textContent = "There are changes. Press Escape again to leave without saving them.";
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    event.stopPropagation();
    if (event.key !== "Escape") this.status.textContent = "";
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.saveAndQueue();
  }
}

/**
 * @param {string} text
 * @param {() => void} click
 * @param {boolean} [isMain]
 */
function button(text, click, isMain = false) {
  return make("button", { text, attrs: { type: "button" }, data: { main: String(isMain) }, on: { click } });
}
