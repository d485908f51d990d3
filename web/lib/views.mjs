// @ts-check
/** Files that nodes wrote, by ComfyUI's own /view. */
import { api } from "../../../scripts/api.js";

/** @typedef {{filename: string, subfolder?: string, type?: string}} Entry a file as /view finds it */

/**
 * Where the browser gets a file.
 * @param {Entry} entry
 * @returns {string}
 */
export function viewUrl({ filename, subfolder = "", type = "output" }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/**
 * The JSON of a file, a sidecar for instance. Throws an Error that says the cure.
 * @param {Entry} entry
 * @returns {Promise<any>}
 */
export async function fetchJson(entry) {
  const answer = await fetchFile(entry);
  try {
    return await answer.json();
  } catch (error) {
    throw new Error(`the file ${entry.filename} is no JSON; queue the workflow again to write it anew`, { cause: error });
  }
}

/**
 * Why a picture does not show, with the cure.
 * @param {Entry} entry
 * @returns {Promise<string>}
 */
export async function whyNotShown(entry) {
  try {
    const answer = await fetchFile(entry);
    await answer.body?.cancel();
    return `this browser cannot show ${entry.filename}; download it and open it in another program`;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/**
 * @param {Entry} entry
 * @returns {Promise<Response>}
 */
async function fetchFile(entry) {
  const answer = await ask(entry);
  if (answer.ok) return answer;
  if (answer.status === 404) throw new Error(`the file ${entry.filename} is no longer on the server; ${CURE[entry.type ?? ""] ?? CURE.output}`);
  throw new Error(`the server refuses ${entry.filename} (${answer.status}); look into its log`);
}

/**
 * @param {Entry} entry
 * @returns {Promise<Response>}
 */
async function ask(entry) {
  try {
    return await fetch(viewUrl(entry), { cache: "no-cache" });
  } catch (error) {
    throw new Error("the server does not answer; start ComfyUI again, then try again", { cause: error });
  }
}

/** @type {Record<string, string>} what to do about a file that is gone, by its folder */
const CURE = {
  temp: "previews last until the server restarts: queue the workflow again",
  output: "it was moved or deleted: put it back or queue the workflow again",
};
