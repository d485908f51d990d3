// @ts-check
/** Why a label cannot be corrected by the labels widget, and what to do instead. */

const BATCH = "ClipGrid_BatchLabeledGridExporter";

/**
 * @typedef {object} Refusal
 * @property {string} summary
 * @property {string} detail
 */

/**
 * @param {any} node
 * @param {any} report of one sheet
 * @returns {Refusal | null} null when nothing is in the way
 */
export function refusal(node, report) {
  if (!labelsWidget(node)) return { summary: "This node has no labels input", detail: "Select the node that made the sheet." };
  if (isLinked(node, "labels")) {
    return { summary: "The labels are linked", detail: "Change the text where it comes from, or unlink labels to type it here." };
  }
  if (!Array.isArray(report?.cells) || !report.cells.length) {
    return { summary: "The labels of this sheet are not known", detail: "Queue the workflow again, then correct them." };
  }
  if (report.cells.some((/** @type {any} */ cell) => !isPlace(cell.index))) {
    return { summary: "This sheet was made by an older version", detail: "Queue the workflow again, then correct its labels." };
  }
  return node.comfyClass === BATCH ? batchRefusal(node, report) : hiddenLabels(node);
}

/** @param {any} node */
export function labelsWidget(node) {
  return node?.widgets?.find((/** @type {any} */ widget) => widget.name === "labels");
}

/**
 * @param {any} node
 * @param {string} name
 * @returns {boolean}
 */
export function isLinked(node, name) {
  const slot = node.inputs?.findIndex((/** @type {any} */ input) => input.name === name) ?? -1;
  return slot >= 0 && Boolean(node.isInputConnected(slot));
}

/**
 * @param {any} node
 * @param {any} report
 * @returns {Refusal | null}
 */
function batchRefusal(node, report) {
  const folders = node.widgets.find((/** @type {any} */ widget) => widget.name === "directories")?.value ?? "";
  const several = folders.trim().split("\n").length > 1 || /[*?[]/.test(folders) || isLinked(node, "directories");
  if (several) {
    return { summary: "The labels input goes to every folder alike", detail: `${TABLE} Or export this folder alone.` };
  }
  if (report.skipped?.length) {
    return { summary: "Files of this folder were left out", detail: `Lines of the labels input count them too. ${TABLE}` };
  }
  return hiddenLabels(node);
}

/**
 * @param {any} node
 * @returns {Refusal | null}
 */
function hiddenLabels(node) {
  const position = node.widgets.find((/** @type {any} */ widget) => widget.name === "label_position");
  if (position?.value !== "none" || isLinked(node, "label_position")) return null;
  return { summary: "This sheet shows no labels", detail: "Set label_position to over, below or above first." };
}

/** @param {unknown} index */
function isPlace(index) {
  return Number.isInteger(index) && Number(index) >= 0;
}

const TABLE = "Write a CSV file with the columns file and label, and name it in csv.";
