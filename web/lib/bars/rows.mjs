// @ts-check
/** What a result looks like, whatever node it is of: rows of text, bars and marks. Pure data. */

/**
 * How a row ended, which is told by colour, sign and word.
 * @typedef {"match" | "weak" | "mismatch" | "undecided" | "unread" | "label" | "none" | "kept" | "rejected"} State
 */

/** @typedef {{kind: "threshold" | "noise" | "next" | "zero", at: number, told: string}} Mark a place on the bar, 0..1 */

/** @typedef {{text: string, isMissing: boolean, told: string}} Chip a phrase of a text */

/**
 * @typedef {object} Row
 * @property {State} state
 * @property {string} word what the state is called
 * @property {string} name what tells the row from others
 * @property {string} of the picture, where the name is not its own
 * @property {string} number with its scale
 * @property {[number, number] | null} bar where it begins and ends, 0..1; null where there is no number
 * @property {Mark[]} marks
 * @property {Chip[]} chips
 * @property {string} note a reason, or what comes next
 * @property {string} told everything, in lines
 */

/** @typedef {{state: State, word: string, count: number}} Count */

/**
 * @typedef {object} Result
 * @property {Row[]} rows
 * @property {Count[]} counts
 * @property {string} scale what the bars are, with the ends of their axis
 * @property {string[]} notes
 */

/** Signs that tell the states apart without colour. */
export const SIGN = {
  match: "✓", weak: "≈", mismatch: "✗", undecided: "?", unread: "!", label: "●", none: "○", kept: "✓", rejected: "–",
};

/**
 * How many rows ended how, in the order of the words.
 * @param {Row[]} rows
 * @param {Partial<Record<State, string>>} words
 * @returns {Count[]}
 */
export function countsOf(rows, words) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { state } of rows) found.set(state, (found.get(state) ?? 0) + 1);
  const counts = Object.entries(words).map(([state, word]) => ({ state: /** @type {State} */ (state), word, count: found.get(state) ?? 0 }));
  return counts.filter(({ count }) => count > 0);
}

/**
 * Lines of a tooltip, without the empty ones.
 * @param {...(string | false | null | undefined)} lines
 * @returns {string}
 */
export function lines(...lines) {
  return lines.filter(Boolean).join("\n");
}
