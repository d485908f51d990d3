// @ts-check
/** Layouts from the server: one request at a time, for each preview only its latest wish, and answers kept. */
import { api } from "../../../../scripts/api.js";

/**
 * @typedef {[number, number, number, number]} Box
 * @typedef {{box: Box, image_box: Box, label_box: Box, label: string}} Cell
 * @typedef {{kind: string, box: Box, text: string, size: number}} Text
 * @typedef {{width: number, height: number, rows: number, columns: number, cells: Cell[], texts: Text[]}} Page
 * @typedef {object} Plan
 * @property {Page[]} pages the first few
 * @property {number} page_count
 * @property {string[]} notes
 * @property {string} format
 * @property {number} font_size
 * @property {string} label_position
 * @property {"left" | "center" | "right"} label_align
 * @property {Record<"page" | "text" | "label" | "outline" | "border" | "pad", string>} colors
 * @property {number} outline_width
 * @property {number} border_width
 */
/** @typedef {Plan | {error: string}} Answer */
/** @typedef {{body: string, show: (answer: Answer) => void}} Wish */

const KEPT = 60;
/** @type {Map<string, Answer>} by the request's body, the latest at the end */
const answers = new Map();
/** @type {Map<object, Wish>} by who wishes */
const wishes = new Map();
let isAsking = false;

/**
 * Show the layout: at once where it is known, else when the server has answered.
 * @param {object} who an earlier wish of the same is forgotten
 * @param {string} body JSON of the request
 * @param {(answer: Answer) => void} show
 */
export function askPlan(who, body, show) {
  wishes.delete(who);
  const known = answers.get(body);
  if (known) return show(known);
  wishes.set(who, { body, show });
  void work();
}

/** Forget the answers: templates may have been saved or deleted. */
export function forgetPlans() {
  answers.clear();
}

async function work() {
  if (isAsking) return;
  isAsking = true;
  try {
    while (wishes.size) {
      const [who, wish] = [...wishes][0];
      const answer = answers.get(wish.body) ?? (await ask(wish.body));
      // the user may have gone on meanwhile
      if (wishes.get(who) !== wish) continue;
      wishes.delete(who);
      wish.show(answer);
    }
  } finally {
    isAsking = false;
  }
}

/**
 * @param {string} body
 * @returns {Promise<Answer>}
 */
async function ask(body) {
  try {
    const response = await api.fetchApi("/clip_grid/plan", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const answer = await answerOf(response);
    if (response.status < 500 && response.status !== 404) keep(body, answer);
    return answer;
  } catch {
    return { error: "the server does not answer; the preview comes back with it" };
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Answer>}
 */
async function answerOf(response) {
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  if (isJson) return response.json();
  return { error: `the server has no preview (${response.status}); restart ComfyUI to load all of CLIP Grid` };
}

/**
 * @param {string} body
 * @param {Answer} answer
 */
function keep(body, answer) {
  answers.set(body, answer);
  const [oldest] = answers.keys();
  if (answers.size > KEPT) answers.delete(oldest);
}
