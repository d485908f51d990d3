// @ts-check
/** What the search tab asks of the server; every function throws an Error whose message tells the user what to do. */
import { api } from "../../../../scripts/api.js";
import { text } from "../texts.mjs";

/** @typedef {import("../files.mjs").FileEntry} FileEntry */
/** @typedef {{text?: string, id?: number, picture?: string, weight?: number}} Part one of the first three says what it is */
/** @typedef {{parts: Part[], keywords: string, where: string, top: number, offset: number}} Query */
/**
 * @typedef {object} Hit
 * @property {number} id
 * @property {number} width
 * @property {number} height
 * @property {string} thumbnail route of the small picture
 * @property {FileEntry} file
 * @property {number} copies files with the same content
 * @property {number | null} percentile share of the index that fits worse
 * @property {boolean} is_weak
 * @property {number} group the best hit of its near-duplicates
 */
/** @typedef {{hits: Hit[], total: number, passed: number, next: number | null}} Found */
/** @typedef {{id: number, width: number, height: number, files: FileEntry[], properties: Record<string, string>, has_graph: boolean}} Known */
/**
 * @typedef {object} Status
 * @property {boolean} has_index
 * @property {number} pictures
 * @property {number} [failed]
 * @property {string} [note]
 * @property {{path: string, reason: string}[]} [failures]
 * @property {{state: "idle" | "looking" | "running" | "paused" | "stopping", done: number, total: number, seconds: number, error: string, ended: number}} indexing
 */

/** Names this page: a newer search of it makes older ones void on the server. */
const client = crypto.getRandomValues(new Uint32Array(2)).join("-");
let sequence = 0;
/** @type {AbortController | undefined} */
let running;

/**
 * The hits of a query; an earlier search that has no answer yet is given up.
 * @param {Query} query
 * @returns {Promise<Found | null>} null if a newer search has taken its place
 */
export async function findPictures(query) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  sequence += 1;
  try {
    return /** @type {Found} */ (await post("/clip_grid/search", { ...query, client, sequence }, signal));
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/**
 * Give the server a picture to search with.
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<{picture: string, name: string}>}
 */
export function sendPicture(file, name) {
  const body = new FormData();
  body.append("picture", file, name);
  return /** @type {Promise<{picture: string, name: string}>} */ (
    request("/clip_grid/search/picture", { method: "POST", body })
  );
}

/** @returns {Promise<Status>} */
export function readStatus() {
  return /** @type {Promise<Status>} */ (request("/clip_grid/index/status", {}));
}

/**
 * Start an update of the index, or stop it.
 * @param {"update" | "stop"} what
 * @returns {Promise<Status>}
 */
export function changeIndexing(what) {
  return /** @type {Promise<Status>} */ (post(`/clip_grid/index/${what}`, {}));
}

/**
 * @param {number} id
 * @returns {Promise<Known>}
 */
export function readPicture(id) {
  return /** @type {Promise<Known>} */ (request(`/clip_grid/picture/${id}`, {}));
}

/**
 * Make a sheet of pictures.
 * @param {number[]} ids
 * @returns {Promise<import("../results.mjs").Output>}
 */
export function makeSheet(ids) {
  return /** @type {Promise<import("../results.mjs").Output>} */ (post("/clip_grid/search/sheet", { ids }));
}

/**
 * @param {string} route
 * @param {object} data
 * @param {AbortSignal} [signal]
 */
function post(route, data, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(route, { method: "POST", headers, body: JSON.stringify(data), signal });
}

/**
 * @param {string} route
 * @param {RequestInit} options
 * @returns {Promise<unknown>}
 */
async function request(route, options) {
  let response;
  try {
    response = await api.fetchApi(route, options);
  } catch (error) {
    throw new Error(text("search.no_server"), { cause: error });
  }
  const answer = await response.json().catch(() => ({}));
  if (answer.error) throw new Error(answer.error);
  if (!response.ok) throw new Error(text("search.no_route", { status: response.status }));
  return answer;
}
