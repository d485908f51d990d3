// @ts-check
/** The notes of a run: a line in its node, and the dialog that it opens. */
import { copyText, keepEvents, make } from "./dom.mjs";
import { notice } from "./front_end.mjs";
import { capitalised, text } from "./texts.mjs";

/** How the note begins that stands with the scores of the demo. */
const TOY = "shapes-demo is a toy";

/** A line in a node with the first note, which opens the dialog; that of the demo is bold and comes before all others. */
export class NotesLine {
  #notes = /** @type {string[]} */ ([]);
  #node;
  element = make("button", {
    cls: "clip-grid-notes-line",
    title: text("notes.hint"),
    attrs: { type: "button", hidden: true },
    on: { click: () => openNotes(this.#node.title, this.#notes) },
  });

  /** @param {{title: string}} node */
  constructor(node) {
    this.#node = node;
  }

  /** Whether scores mean nothing, which is told before them. */
  isLoud = false;

  /** @param {string[]} notes */
  show(notes) {
    this.#notes = notes;
    const toy = notes.find((note) => note.startsWith(TOY));
    this.isLoud = toy !== undefined;
    this.element.hidden = !notes.length;
    this.element.dataset.loud = String(this.isLoud);
    const more = notes.length > 1 ? text("notes.more", { count: notes.length - 1 }) : "";
    const parts = toy
      ? [make("b", { text: `⚠ ${capitalised(toy.split("; ")[0])}.` }), " ", make("u", { text: text("notes.hint") })]
      : [make("span", { text: `⚠ ${capitalised(notes[0] ?? "")}` }), more];
    this.element.replaceChildren(...parts);
  }
}

/**
 * Open the dialog.
 * @param {string} name of the node
 * @param {string[]} notes
 */
function openNotes(name, notes) {
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
