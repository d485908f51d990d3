// @ts-check
/** The typed words of a query, and the groups of its hits. */

/** @typedef {import("./requests.mjs").Part} Part */

/** A word or quoted words after a minus, and words in quotes. */
const MINUS = /(^|\s)-(?:"([^"]+)"|([^\s"]+))/g;
const QUOTED = /"([^"]+)"/g;

/**
 * The typed text as parts: what pictures are to show, what after a minus they are not to show, and in quotes the words
 * that their prompts have.
 * @param {string} typed such as: red fox -blurry "masterpiece"
 * @returns {{parts: Part[], keywords: string}}
 */
export function readTyped(typed) {
  /** @type {Part[]} */
  const minus = [];
  /** @type {string[]} */
  const keywords = [];
  const rest = typed
    .replace(MINUS, (_, before, quoted, word) => {
      minus.push({ text: quoted ?? word, weight: -1 });
      return before;
    })
    .replace(QUOTED, (_, words) => {
      keywords.push(words);
      return " ";
    })
    .replace(/"/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return { parts: [...(rest ? [{ text: rest }] : []), ...minus], keywords: keywords.join(" ") };
}

/**
 * Hits without the near-duplicates of better ones, unless their group is unfolded.
 * @template {{id: number, group: number, copies: number}} Hit
 * @param {Hit[]} hits the best first
 * @param {Set<number>} unfolded groups
 * @returns {{hit: Hit, more: number}[]} `more`: how many others are folded under it or have its content
 */
export function foldGroups(hits, unfolded) {
  /** @type {Map<number, {hit: Hit, more: number}>} */
  const leaders = new Map();
  /** @type {{hit: Hit, more: number}[]} */
  const shown = [];
  for (const hit of hits) {
    const leader = leaders.get(hit.group);
    if (leader) leader.more += hit.copies;
    if (leader && !unfolded.has(hit.group)) continue;
    const entry = { hit, more: hit.copies - 1 };
    if (!leader) leaders.set(hit.group, entry);
    shown.push(entry);
  }
  return shown;
}
