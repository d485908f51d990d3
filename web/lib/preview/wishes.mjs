// @ts-check
/** What layout a node would make, read from its widgets: the request to the server, and what cannot be known yet. */

/** The node whose template can be linked. */
const TEMPLATE_NODE = "ClipGrid_GridTemplate";
/** Widgets of our nodes that are no options of a template. */
const OTHERS = new Set([
  "name", "save", "labels", "metadata", "csv", "directories", "template", "filename_prefix", "use_clip", "clip_model",
  "vocabulary", "score_text", "scores",
]);
/** Labels longer than this are left to the node; the server reads no more. */
const MOST_LABELS = 20_000;

/** @typedef {{count: number, width: number, height: number}} Example how many pictures, and of which size */

/**
 * @param {any} node
 * @param {Example} example
 * @returns {{body: string, unknown: string[]}} `unknown`: inputs that are linked, so that their values are not known
 */
export function planRequest(node, example) {
  const linked = linkedNames(node);
  const { template, isKnown } = templateOf(node, linked);
  const unknown = linked.filter((name) => name === "labels" || (!OTHERS.has(name) && widgetOf(node, name)));
  if (!isKnown) unknown.push("template");
  const labels = linked.includes("labels") ? "" : String(widgetOf(node, "labels")?.value ?? "");
  const request = {
    template,
    options: optionsOf(node, linked),
    ...example,
    labels: labels.length <= MOST_LABELS ? labels : "",
  };
  return { body: JSON.stringify(request), unknown };
}

/**
 * The template that is chosen by name, or the settings of the node that is linked.
 * @param {any} node
 * @param {string[]} linked
 * @returns {{template: string | Record<string, unknown> | null, isKnown: boolean}}
 */
function templateOf(node, linked) {
  if (!linked.includes("template")) {
    const value = widgetOf(node, "template")?.value;
    return { template: value ? String(value) : null, isKnown: true };
  }
  const slot = node.inputs.findIndex((/** @type {any} */ input) => input.name === "template");
  const source = node.getInputNode?.(slot);
  if (source?.comfyClass !== TEMPLATE_NODE) return { template: null, isKnown: false };
  return { template: optionsOf(source, linkedNames(source)), isKnown: true };
}

/**
 * @param {any} node
 * @param {string[]} linked
 * @returns {Record<string, unknown>} the template's options among the widgets
 */
function optionsOf(node, linked) {
  const { required, optional } = node.constructor?.nodeData?.input ?? {};
  const declared = new Set([...Object.keys(required ?? {}), ...Object.keys(optional ?? {})]);
  const ours = (node.widgets ?? []).filter((/** @type {any} */ widget) => declared.has(widget.name) && isOption(widget) && !linked.includes(widget.name));
  return Object.fromEntries(ours.map((/** @type {any} */ widget) => [widget.name, widget.value]));
}

/** @param {any} widget */
function isOption(widget) {
  const isPlain = ["string", "number", "boolean"].includes(typeof widget.value);
  return isPlain && widget.serialize !== false && widget.options?.serialize !== false && !OTHERS.has(widget.name);
}

/**
 * @param {any} node
 * @param {string} name
 */
function widgetOf(node, name) {
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name);
}

/**
 * @param {any} node
 * @returns {string[]}
 */
function linkedNames(node) {
  const inputs = node.inputs ?? [];
  return inputs.filter((/** @type {any} */ _, /** @type {number} */ slot) => node.isInputConnected(slot)).map((/** @type {any} */ input) => input.name);
}
