// @ts-check
/** What the nodes that match, label, rank and find pictures show of their results: rows of text, bars and marks. */
import { text } from "../texts.mjs";
import { matchRows } from "./match_rows.mjs";
import { hitRows, labelRows, rankRows } from "./picture_rows.mjs";

/** @typedef {import("../results.mjs").Output} Output */
/** @typedef {import("../results.mjs").OutputKey} OutputKey */

/**
 * What a row says of its picture; colour, sign and word tell it.
 * @typedef {keyof typeof SIGNS} State
 */
/**
 * @typedef {object} Mark on the bar
 * @property {"threshold" | "weak" | "next" | "zero"} kind
 * @property {number} at 0..1
 * @property {number} [end] 0..1, of a mark that is a part of the bar
 * @property {string} title
 */
/** @typedef {keyof typeof PHRASE_SIGNS} PhraseState */
/** @typedef {{text: string, state: PhraseState, word: string, title: string}} Phrase of a text; `word`: its state */

/**
 * @typedef {object} Row
 * @property {State} state
 * @property {string} word the state in words
 * @property {string} name what tells the row from others
 * @property {string} picture where it is not the name
 * @property {string} score with its scale
 * @property {[number, number] | null} bar where it begins and ends, 0..1; null where there is no number
 * @property {Mark[]} marks
 * @property {Phrase[]} phrases
 * @property {string} note a reason, or the next best labels
 * @property {string} details everything, in lines
 */
/** @typedef {{rows: Row[], scale: string}} Rows `scale`: what the bars are, with the ends of their axis */
/** @typedef {Rows & {counts: {state: State, text: string}[], notes: string[]}} Result */

/**
 * @typedef {object} MatchEntry a picture and a text; some is missing where the picture could not be read
 * @property {string} [image]
 * @property {string} [text]
 * @property {string} [verdict]
 * @property {number | null} [z] not in results of version 0.1
 * @property {number | null} [cosine]
 * @property {number | null} [clip_score]
 * @property {number | null} [probability]
 * @property {string} [probability_scale]
 * @property {number | null} [percentile]
 * @property {number | null} [threshold]
 * @property {"z" | "cosine" | "percentile" | "probability"} [threshold_scale]
 * @property {string} [reason]
 * @property {string} [clip_match_status]
 * @property {string} [model]
 * @property {ScoredPhrase[]} [phrases]
 * @property {string} [dropped] the end of the text that the model did not read
 */
/**
 * @typedef {object} ScoredPhrase
 * @property {string} text
 * @property {number} cosine
 * @property {number} [z] not in results of version 0.1, whose support is a cosine
 * @property {number} support
 * @property {PhraseState} [status] not in results of version 0.1
 * @property {boolean} is_missing
 */
/**
 * @typedef {object} ScoredLabel
 * @property {string} label
 * @property {string} facet
 * @property {number} probability
 * @property {number} cosine
 * @property {number} [z] where the label was compared with unrelated nouns
 */
/**
 * @typedef {object} LabelEntry the labels of a picture
 * @property {string} [path]
 * @property {string} [label]
 * @property {number | null} [score] a probability
 * @property {string} [scale] what it is a probability of
 * @property {string[]} [labels] all that fit
 * @property {Record<string, string>} [facets]
 * @property {ScoredLabel[]} [top] the likeliest ones
 * @property {string} [reason]
 */
/**
 * @typedef {object} RankEntry a picture of a ranking
 * @property {number} [index]
 * @property {string} [path]
 * @property {number | null} [score]
 * @property {string} [scale]
 * @property {number | null} [threshold]
 * @property {boolean} [is_kept]
 * @property {string} [reason]
 * @property {number | null} [group]
 */

/**
 * @typedef {object} HitEntry a hit of a search
 * @property {string} [path]
 * @property {number | null} [z]
 * @property {number | null} [percentile] the share of the index that fits worse
 * @property {number | null} [keyword_rank] from 1, where its prompt has the keywords
 * @property {boolean} [is_weak]
 */

/**
 * The list of scores of each node class.
 * @type {Record<string, "clip_match" | "clip_labels" | "clip_rank" | "clip_search">}
 */
export const SCORES = {
  ClipGrid_CLIPMatchScore: "clip_match",
  ClipGrid_CLIPLabel: "clip_labels",
  ClipGrid_RankImages: "clip_rank",
  ClipGrid_SearchImages: "clip_search",
};

/** Signs that tell the states apart without colour. */
export const SIGNS = {
  match: "✓",
  weak: "≈",
  mismatch: "✗",
  undecided: "?",
  label: "●",
  none: "○",
  kept: "✓",
  rejected: "–",
  unscored: "!",
  unread: "!",
};

/** The same of phrases. */
export const PHRASE_SIGNS = { shown: "✓", unclear: "?", missing: "✗" };

/** How many rows are in a state, in the order in which the counts are shown. */
const COUNTS = /** @type {const} */ ({
  match: "count.match",
  weak: "count.weak",
  mismatch: "count.mismatch",
  undecided: "count.undecided",
  label: "count.labelled",
  none: "count.unlabelled",
  kept: "count.kept",
  rejected: "count.rejected",
  unscored: "count.unscored",
  unread: "count.unread",
});

/**
 * The list of scores that an output has.
 * @param {Output | undefined} output
 */
export function scoresKey(output) {
  return Object.values(SCORES).find((key) => Array.isArray(output?.[key]) && output[key].length > 0);
}

/**
 * What to show of an output.
 * @param {Output} output
 * @param {number} digits after the point of scores
 * @param {Partial<Record<OutputKey, number>>} [full] the lengths of lists that have been cut
 * @returns {Result | null} null if it has no scores
 */
export function resultOf(output, digits, full = {}) {
  const key = scoresKey(output);
  const {
    clip_match: matches,
    clip_labels: labels,
    clip_rank: ranks,
    clip_search: hits,
    clip_notes: notes = [],
  } = output;
  if (!key) return null;
  const { rows, scale } = matches?.length
    ? matchRows(matches, digits)
    : labels?.length
      ? labelRows(labels, digits)
      : hits?.length
        ? hitRows(hits, digits)
        : rankRows(ranks ?? [], digits);
  const cut = (full[key] ?? 0) > rows.length ? [text("scores.cut", { count: rows.length, full: full[key] ?? 0 })] : [];
  return { rows, scale, counts: countsOf(rows), notes: [...cut, ...notes.map(String)] };
}

/** @param {Row[]} rows */
function countsOf(rows) {
  const states = /** @type {State[]} */ (Object.keys(COUNTS));
  const counts = states.map((state) => ({ state, count: rows.filter((row) => row.state === state).length }));
  return counts
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => ({ state, text: text(COUNTS[state], { count }) }));
}
