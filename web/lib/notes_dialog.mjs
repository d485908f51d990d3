// @ts-check
/** The dialog with all notes of a run. */
import { copyText, keepEvents, make } from "./dom.mjs";
import { notice } from "./front_end.mjs";
import { capitalised, text } from "./texts.mjs";

/**
 * Open the dialog.
 * @param {string} name of the node
 * @param {string[]} notes
 */
export function openNotes(name, notes) {
  const title = text("notes.title", { node: name });
  const dialog = make("dialog", { cls: "clip-grid clip-grid-notes", attrs: { "aria-label": title } });
  const close = make("button", { text: text("viewer.close"), on: { click: () => dialog.close() } });
  const copy = make("button", { text: text("notes.copy"), on: { click: () => void copyAll(notes) } });
  dialog.append(
    make("h2", { text: title }),
    make("ul", {}, ...notes.map((note) => make("li", { text: capitalised(note) }))),
    make("div", { cls: "clip-grid-notes-actions" }, copy, close),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  keepEvents(dialog, "keyup", "copy", "wheel", "contextmenu");
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}

/** @param {string[]} notes */
async function copyAll(notes) {
  if (!(await copyText(notes.join("\n")))) notice("warn", text("copy.not_allowed"));
}
