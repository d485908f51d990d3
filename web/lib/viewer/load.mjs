// @ts-check
/** The sheets of a node whose workflow was loaded again: only the names of its files are kept, the rest is in the sidecars. */
import { fetchJson } from "../views.mjs";
import { groupFiles, sheetsOf, sheetsOfRun } from "./sheets.mjs";

/** @typedef {import("./sheets.mjs").Entry} Entry */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */

/**
 * The sheets of a sheet node's output, whether it is whole or the copy that is kept with the workflow.
 * @param {Record<string, any>} output
 * @returns {Promise<Sheet[]>}
 */
export async function loadSheets(output) {
  if (output.clip_grid?.length) return sheetsOfRun(output);
  const files = groupFiles(output.clip_grid_files ?? []);
  return sheetsOf(await Promise.all((files.length ? files : [[]]).map(withReport)), output.images ?? []);
}

/**
 * @param {Entry[]} files of one sheet
 * @returns {Promise<{files: Entry[], report: any, problem: string}>}
 */
async function withReport(files) {
  const sidecar = files.find((file) => file.filename.endsWith(".json"));
  if (!sidecar) return { files, report: null, problem: NO_SIDECAR };
  try {
    return { files, report: await fetchJson(sidecar), problem: "" };
  } catch (error) {
    return { files, report: null, problem: `Labels and values are not known: ${/** @type {Error} */ (error).message}.` };
  }
}

const NO_SIDECAR = "Labels and values are not known: the sheet has no JSON file beside it. Queue the workflow again, with sidecar switched on in the template.";
