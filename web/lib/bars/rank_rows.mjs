// @ts-check
/** Pictures from best to worst, as Rank Images tells of them, to rows. */
import { axisOf, barOf, thresholdMark, zeroMark } from "./axis.mjs";
import { isNumber, roundly, told } from "./numbers.mjs";
import { countsOf, lines } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */

/** @type {Partial<Record<import("./rows.mjs").State, string>>} */
const WORDS = { kept: "kept", rejected: "not kept", unread: "without score" };

/**
 * @param {any[]} entries of `clip_rank`, the best first
 * @param {number} decimals
 * @returns {import("./rows.mjs").Result}
 */
export function rankResult(entries, decimals) {
  const scale = String(entries[0]?.scale ?? "");
  const axis = axisOf(scale, entries.flatMap((one) => [one.score, one.threshold]));
  const rows = entries.map((one, place) => rankRow(one, place, { scale, axis, decimals }));
  const by = scale === "given" ? "by the scores that were given" : scale && `by ${scale}`;
  const ends = `bars: ${roundly(axis.low)} to ${roundly(axis.high)}`;
  return { rows, counts: countsOf(rows, WORDS), scale: [by, ends].filter(Boolean).join(" · "), notes: [] };
}

/**
 * @param {any} one
 * @param {number} place
 * @param {{scale: string, axis: import("./axis.mjs").Axis, decimals: number}} drawn
 * @returns {Row}
 */
function rankRow(one, place, { scale, axis, decimals }) {
  const name = `${place + 1}. ${one.path ?? ""}`;
  const unit = scale.startsWith("cosine") ? "cosine" : "score";
  const hasScore = isNumber(one.score);
  const number = hasScore ? `${unit} ${told(one.score, decimals)}` : "no score";
  const state = one.is_kept ? "kept" : hasScore ? "rejected" : "unread";
  return {
    state, word: WORDS[/** @type {import("./rows.mjs").State} */ (state)] ?? "", name, of: "", number,
    bar: hasScore ? barOf(one.score, axis) : null,
    marks: [...zeroMark(axis), ...thresholdMark(one.threshold, axis, `${unit} ${told(one.threshold, decimals)}`)],
    chips: [], note: one.reason ?? "",
    told: lines(name, number, scale && `scale: ${scale}`, one.is_kept ? "kept" : `not kept: ${one.reason}`),
  };
}
