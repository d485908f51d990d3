// @ts-check
/** Layouts of sheets from the server: the request for a node's layout, and one request at a time. */
import { api } from "../../../../scripts/api.js";
import { TEMPLATE_NODE, isLinked, widgetOf } from "../front_end.mjs";
import { text } from "../texts.mjs";

/** @typedef {import("../front_end.mjs").GraphNode} GraphNode */
/** @typedef {[x: number, y: number, width: number, height: number]} Box */
/** @typedef {{box: Box, area: Box, image_box: Box, label_box: Box, label: string}} Cell */
/**
 * @typedef {object} PageText
 * @property {string} kind
 * @property {Box} box
 * @property {string} text
 * @property {number} size
 * @property {"left" | "center" | "right"} side
 * @property {string} color
 * @property {boolean} bold
 */
/** @typedef {{width: number, height: number, rows: number, columns: number, cells: Cell[], texts: PageText[]}} Page */
/**
 * @typedef {object} Plan
 * @property {Page[]} pages the first few
 * @property {number} page_count
 * @property {string[]} notes
 * @property {number} font_size
 * @property {string} label_position
 * @property {"left" | "center" | "right"} label_align
 * @property {Record<"page" | "text" | "label" | "outline" | "border" | "pad", string>} colors
 * @property {number} outline_width
 * @property {number} border_width
 */
/** @typedef {Plan | {error: string}} Answer */
/** @typedef {{count: number, width: number, height: number}} Example how many pictures, and of which size */
/** @typedef {{body: string, onAnswer: (answer: Answer) => void}} Request */

/** Widgets of our nodes that are no options of a template. */
const OTHER_WIDGETS = new Set([
  "name",
  "save",
  "labels",
  "metadata",
  "csv",
  "directories",
  "template",
  "filename_prefix",
  "use_clip",
  "clip_model",
  "vocabulary",
  "score_text",
  "scores",
]);
/** Characters of labels that the server reads; longer ones are left out. */
const MAX_LABELS = 20_000;
/** Answers that are remembered. */
const MAX_ANSWERS = 60;

/** @type {Map<string, Answer>} by the body of the request, the latest at the end */
const answers = new Map();
/** @type {Map<object, Request>} the latest request of each preview */
const requests = new Map();
let isRunning = false;

/**
 * Ask for a layout; the answer comes at once if it is known.
 * @param {object} sender an earlier request of the same sender is dropped
 * @param {string} body JSON
 * @param {(answer: Answer) => void} onAnswer
 */
export function requestPlan(sender, body, onAnswer) {
  requests.delete(sender);
  const known = answers.get(body);
  if (known) return onAnswer(known);
  requests.set(sender, { body, onAnswer });
  return void runRequests();
}

/** Forget the answers: templates or fonts may have changed. */
export function forgetPlans() {
  answers.clear();
}

async function runRequests() {
  if (isRunning) return;
  isRunning = true;
  try {
    while (requests.size) {
      const [sender, request] = [...requests][0];
      const answer = answers.get(request.body) ?? (await fetchPlan(request.body));
      // there may be a later request of the sender meanwhile
      if (requests.get(sender) !== request) continue;
      requests.delete(sender);
      request.onAnswer(answer);
    }
  } finally {
    isRunning = false;
  }
}

/**
 * @param {string} body
 * @returns {Promise<Answer>}
 */
async function fetchPlan(body) {
  try {
    const response = await api.fetchApi("/clip_grid/plan", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    /** @type {Answer} */
    const answer = isJson ? await response.json() : { error: text("layout.no_route", { status: response.status }) };
    if (response.status < 500 && response.status !== 404) remember(body, answer);
    return answer;
  } catch {
    return { error: text("layout.no_server") };
  }
}

/**
 * @param {string} body
 * @param {Answer} answer
 */
function remember(body, answer) {
  answers.set(body, answer);
  const [oldest] = answers.keys();
  if (answers.size > MAX_ANSWERS) answers.delete(oldest);
}

/**
 * The request for the layout that a node would make.
 * @param {GraphNode} node
 * @param {Example} example
 * @returns {{body: string, unknown: string[]}} `unknown`: linked inputs, whose values are not known before the run
 */
export function planRequest(node, example) {
  const linked = linkedNames(node);
  const { template, isKnown } = templateOf(node);
  const unknown = linked.filter((name) => name === "labels" || (!OTHER_WIDGETS.has(name) && widgetOf(node, name)));
  if (!isKnown) unknown.push("template");
  const labels = linked.includes("labels") ? "" : String(widgetOf(node, "labels")?.value ?? "");
  const request = { template, options: optionsOf(node), ...example, labels: labels.length <= MAX_LABELS ? labels : "" };
  return { body: JSON.stringify(request), unknown };
}

/**
 * The template that is chosen by name, or the options of the linked template node.
 * @param {GraphNode} node
 * @returns {{template: string | Record<string, unknown> | null, isKnown: boolean}}
 */
function templateOf(node) {
  if (!isLinked(node, "template")) {
    const value = widgetOf(node, "template")?.value;
    return { template: value ? String(value) : null, isKnown: true };
  }
  const slot = node.inputs?.findIndex((input) => input.name === "template") ?? -1;
  const source = node.getInputNode(slot);
  if (source?.comfyClass !== TEMPLATE_NODE) return { template: null, isKnown: false };
  return { template: optionsOf(source), isKnown: true };
}

/**
 * The options of a template among the widgets of a node, without those that are linked.
 * @param {GraphNode} node
 * @returns {Record<string, unknown>}
 */
function optionsOf(node) {
  const { required, optional } = node.constructor.nodeData?.input ?? {};
  const declared = { ...required, ...optional };
  const linked = linkedNames(node);
  const options = (node.widgets ?? []).filter(
    (widget) => widget.name in declared && isOption(widget) && !linked.includes(widget.name),
  );
  return Object.fromEntries(options.map((widget) => [widget.name, widget.value]));
}

/** @param {NonNullable<GraphNode["widgets"]>[number]} widget */
function isOption({ name, value, serialize, options }) {
  const isPlain = ["string", "number", "boolean"].includes(typeof value);
  return isPlain && serialize !== false && options?.serialize !== false && !OTHER_WIDGETS.has(name);
}

/**
 * @param {GraphNode} node
 * @returns {string[]}
 */
function linkedNames(node) {
  return (node.inputs ?? []).filter((_, slot) => node.isInputConnected(slot)).map((input) => input.name);
}
