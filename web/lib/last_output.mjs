// @ts-check
/** The last output of each node, whole where it ran in this page, for commands that copy it. */

/** @type {WeakMap<object, Record<string, any[]>>} */
const outputs = new WeakMap();

/**
 * @param {object} node
 * @param {Record<string, any[]>} output
 */
export function rememberOutput(node, output) {
  outputs.set(node, output);
}

/**
 * @param {object} node
 * @returns {Record<string, any[]> | undefined}
 */
export function lastOutput(node) {
  return outputs.get(node);
}
