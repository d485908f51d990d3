// @ts-check
/** Outputs of the scoring nodes to results that can be shown. */
import { labelResult } from "./bars/label_rows.mjs";
import { matchResult } from "./bars/match_rows.mjs";
import { rankResult } from "./bars/rank_rows.mjs";

/** For each scoring node, the list of its output that has an entry for every row. */
export const SCORES = {
  ClipGrid_CLIPMatchScore: "clip_match",
  ClipGrid_CLIPLabel: "clip_labels",
  ClipGrid_RankImages: "clip_rank",
};
export const NOTES = "clip_notes";

/** @type {Record<string, (entries: any[], decimals: number) => import("./bars/rows.mjs").Result>} */
const READERS = { clip_match: matchResult, clip_labels: labelResult, clip_rank: rankResult };

/**
 * What to show of an output; null if it has no scores.
 * @param {Record<string, any[]>} output as /history has it
 * @param {number} decimals
 * @param {Record<string, number>} [cut] how long lists were that have been cut
 * @returns {import("./bars/rows.mjs").Result | null}
 */
export function resultOf(output, decimals, cut = {}) {
  const key = scoresKey(output);
  if (!key) return null;
  const result = READERS[key](output[key], decimals);
  return { ...result, notes: [...cutNote(output[key].length, cut[key]), ...(output[NOTES] ?? []).map(String)] };
}

/**
 * The key of the list of scores of an output.
 * @param {Record<string, any[]> | undefined} output
 * @returns {string | undefined}
 */
export function scoresKey(output) {
  return Object.values(SCORES).find((key) => Array.isArray(output?.[key]) && output[key].length > 0);
}

/**
 * @param {number} count
 * @param {number | undefined} whole
 * @returns {string[]}
 */
function cutNote(count, whole) {
  return whole && whole > count ? [`the workflow keeps ${count} of ${whole} rows; queue it again to see all of them`] : [];
}
