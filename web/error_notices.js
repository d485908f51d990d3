// @ts-check
/** A notice that tells why a node of CLIP Grid stopped, and what to do. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { notice, rootGraph, setting } from "./lib/front_end.mjs";
import { capitalised, loadTexts, text } from "./lib/texts.mjs";

/** Characters of a message that a notice shows; ComfyUI's own report has all of it. */
const MAX_LENGTH = 600;

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

app.registerExtension({
  name: "clip_grid.error_notices",
  init: loadTexts,
  setup() {
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
  notice("error", text("failure.stopped", { node }), capitalised(short));
}
