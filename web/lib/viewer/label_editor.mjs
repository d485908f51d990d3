// @ts-check
/** The field in which a label is corrected, over the cell that it belongs to. */
import { make } from "../dom.mjs";

const WIDTH = 260;

/**
 * Ask for the label of a cell, and hand it on.
 * @param {import("./open.mjs").Viewer} viewer
 * @param {import("./cells.mjs").Cell} cell
 */
export async function editCell(viewer, cell) {
  const { edits, state, dialog } = viewer;
  const { sheet } = state;
  if (!edits || dialog.querySelector(".clip-grid-editor")) return;
  const problem = edits.problem(sheet);
  if (problem) return viewer.say(problem);
  state.look(cell);
  state.pinned = true;
  viewer.update();
  const text = await askForLabel(dialog, viewer.view.anchor(cell), cell.label);
  viewer.view.focus();
  if (text === null || text === cell.label || !edits.change(sheet, cell, text)) return;
  [cell.label, cell.edited] = [text, true];
  viewer.views.cells.showLabel(cell);
  viewer.update();
  viewer.say("The label is changed: queue the workflow again to draw it");
}

/**
 * Ask for a text near a place of the window; answers null when the user turns away.
 * @param {HTMLElement} parent
 * @param {DOMRect} near
 * @param {string} text
 * @returns {Promise<string | null>}
 */
function askForLabel(parent, near, text) {
  return new Promise((answer) => {
    const field = make("textarea", { attrs: { rows: 2, "aria-label": "The label", maxlength: 2000 } });
    field.value = text;
    const done = (/** @type {string | null} */ told) => {
      editor.remove();
      answer(told);
    };
    const buttons = make("div", { cls: "clip-grid-actions" },
      make("button", { text: "Change label", title: "Enter", on: { click: () => done(field.value) } }),
      make("button", { text: "Cancel", title: "Esc", on: { click: () => done(null) } }));
    const editor = make("div", { cls: "clip-grid-editor", style: placeOf(near) }, field, buttons);
    editor.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") event.preventDefault();
      if (event.key === "Escape") done(null);
      else if (event.key === "Enter" && event.target === field && !event.shiftKey) done(field.value);
    });
    parent.append(editor);
    field.focus();
    field.select();
  });
}

/** @param {DOMRect} near */
function placeOf(near) {
  const left = Math.max(8, Math.min(near.left + near.width / 2 - WIDTH / 2, innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(near.bottom - 40, innerHeight - 130));
  return { left: `${left}px`, top: `${top}px`, width: `${WIDTH}px` };
}
