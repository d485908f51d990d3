// @ts-check
/** A notice with the cure when a node of CLIP Grid fails. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { failureOf } from "./lib/failures.mjs";
import { notice } from "./lib/notices.mjs";
import { setting } from "./lib/setting.mjs";

/** The last failure that was told: the event may come twice. */
let lastKey = "";

/** @param {CustomEvent} event */
function tell({ detail }) {
  const failure = failureOf(detail, titleOf(detail?.node_id));
  if (!failure || failure.key === lastKey || !setting("ClipGrid.ErrorNotices", true)) return;
  lastKey = failure.key;
  notice("error", failure.summary, failure.detail);
}

/**
 * @param {unknown} id
 * @returns {string}
 */
function titleOf(id) {
  return (app.rootGraph ?? app.graph)?.getNodeById?.(id)?.title ?? "";
}

app.registerExtension({
  name: "clip_grid.error_notices",
  setup() {
    api.addEventListener("execution_error", tell);
  },
});
