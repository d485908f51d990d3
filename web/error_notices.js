// @ts-check
/** A notice that tells why a node of CLIP Grid stopped, and what to do. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { loadStyles, make } from "./lib/dom.mjs";
import { rootGraph, setting } from "./lib/front_end.mjs";
import { capitalised, loadTexts, text } from "./lib/texts.mjs";

/** Characters of a message that a notice shows; ComfyUI's own report has all of it. */
const MAX_LENGTH = 600;
/** Milliseconds that a notice stays. */
const TIME = 12_000;

/**
 * @typedef {object} Failure the detail of "execution_error", as far as it is read here
 * @property {string} [node_type]
 * @property {string | number} [node_id]
 * @property {string} [prompt_id]
 * @property {string} [exception_message]
 * @property {string} [exception_type]
 */

/** The last failure that was shown: the event may come twice. */
let lastShown = "";
/** @type {HTMLElement | undefined} the notice on the page */
let shown;

app.registerExtension({
  name: "clip_grid.error_notices",
  init: loadTexts,
  setup() {
    loadStyles();
    api.addEventListener("execution_error", ({ detail }) => show(/** @type {Failure} */ (detail ?? {})));
  },
});

/** @param {Failure} failure */
function show({
  node_type: type = "",
  node_id: id = "",
  prompt_id: run,
  exception_message: message,
  exception_type: kind,
}) {
  const key = `${run}/${id}`;
  if (!type.startsWith("ClipGrid_") || key === lastShown || !setting("ClipGrid.ErrorNotices", true)) return;
  lastShown = key;
  const node = rootGraph()?.getNodeById(id)?.title || type.replace("ClipGrid_", "");
  const reason = message?.trim() || kind || text("failure.no_reason");
  const short = reason.length > MAX_LENGTH ? `${reason.slice(0, MAX_LENGTH)}…` : reason;
  showNotice(text("failure.stopped", { node }), capitalised(short));
}

/**
 * Show a notice in the lower left corner: ComfyUI shows its own report in the middle of the page or at its right, where
 * its notices would cover it.
 * @param {string} summary
 * @param {string} reason
 */
function showNotice(summary, reason) {
  shown?.remove();
  const close = make("button", {
    text: "✕",
    title: text("viewer.close"),
    attrs: { type: "button", "aria-label": text("viewer.close") },
    on: { click: () => element.remove() },
  });
  const element = make(
    "div",
    { cls: "clip-grid clip-grid-failure", attrs: { role: "alert" } },
    make("strong", { text: summary }),
    close,
    make("p", { text: reason }),
  );
  shown = element;
  // what lies beside a modal dialog of ours, such as the viewer, is neither seen nor clicked
  (document.querySelector("dialog.clip-grid:modal") ?? document.body).append(element);
  setTimeout(() => element.remove(), TIME);
}
