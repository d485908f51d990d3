// @ts-check
/** The copy of a node's output that is kept with its workflow. */

/** Characters of JSON: workflows are saved after every change, and are in the metadata of every picture. */
export const MOST = 64 * 1024;

/**
 * A copy of some lists of an output, of plain JSON, each list cut as far as need be.
 * @param {Record<string, any[]>} output
 * @param {string[]} keys
 * @param {number} [most]
 * @returns {{output: Record<string, any[]>, cut?: Record<string, number>}} `cut` has the whole length of lists that were cut
 */
export function cutToFit(output, keys, most = MOST) {
  const lists = Object.fromEntries(keys.filter((key) => Array.isArray(output[key])).map((key) => [key, output[key]]));
  /** @type {Record<string, any[]>} */
  const kept = JSON.parse(JSON.stringify(lists));
  while (JSON.stringify(kept).length > most) halveLongest(kept);
  const cut = Object.fromEntries(Object.keys(kept).filter((key) => kept[key].length < lists[key].length).map((key) => [key, lists[key].length]));
  return Object.keys(cut).length ? { output: kept, cut } : { output: kept };
}

/** @param {Record<string, any[]>} lists */
function halveLongest(lists) {
  const sizes = Object.entries(lists).map(([key, list]) => /** @type {const} */ ([JSON.stringify(list).length, key]));
  const [, key] = sizes.reduce((a, b) => (b[0] > a[0] ? b : a));
  lists[key].length = Math.floor(lists[key].length / 2);
}
