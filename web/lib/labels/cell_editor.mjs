// @ts-check
/** The text field in the viewer that changes the label of a cell. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";

/** @typedef {import("../viewer/viewer.mjs").Viewer} Viewer */
/** @typedef {import("../viewer/sheets.mjs").Cell} Cell */

/** In pixels. */
const WIDTH = 260;

/**
 * Ask for the label of a cell, and change it.
 * @param {Viewer} viewer
 * @param {Cell} cell
 */
export async function editCell(viewer, cell) {
  const { edits, state, dialog } = viewer;
  const { sheet } = state;
  if (!edits || dialog.querySelector(".clip-grid-editor")) return;
  const problem = edits.problem(sheet);
  if (problem) return viewer.showStatus(problem);
  state.show(cell);
  state.pinned = true;
  viewer.update();
  const label = await askForLabel(dialog, viewer.view.anchor(cell), cell.label);
  viewer.view.focus();
  if (label === null || label === cell.label || !edits.change(sheet, cell, label)) return;
  [cell.label, cell.edited] = [label, true];
  viewer.views.cells.showLabel(cell);
  viewer.update();
  viewer.showStatus(text("editor.changed"));
}

/**
 * @param {HTMLElement} parent
 * @param {DOMRect} anchor where the cell is on the screen
 * @param {string} label
 * @returns {Promise<string | null>} null if the user cancels
 */
function askForLabel(parent, anchor, label) {
  return new Promise((resolve) => {
    const field = make("textarea", { attrs: { rows: 2, "aria-label": text("editor.label"), maxlength: 2000 } });
    field.value = label;
    const finish = (/** @type {string | null} */ answer) => {
      editor.remove();
      resolve(answer);
    };
    const buttons = make(
      "div",
      { cls: "clip-grid-actions" },
      make("button", { text: text("editor.change"), title: "Enter", on: { click: () => finish(field.value) } }),
      make("button", { text: text("editor.cancel"), title: "Esc", on: { click: () => finish(null) } }),
    );
    const editor = make("div", { cls: "clip-grid-editor", style: placeAt(anchor) }, field, buttons);
    editor.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") event.preventDefault();
      if (event.key === "Escape") finish(null);
      else if (event.key === "Enter" && event.target === field && !event.shiftKey) finish(field.value);
    });
    parent.append(editor);
    field.focus();
    field.select();
  });
}

/** @param {DOMRect} anchor */
function placeAt(anchor) {
  const left = Math.max(8, Math.min(anchor.left + anchor.width / 2 - WIDTH / 2, innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(anchor.bottom - 40, innerHeight - 130));
  return { left: `${left}px`, top: `${top}px`, width: `${WIDTH}px` };
}
