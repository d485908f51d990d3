// @ts-check
/** A smaller copy of a scoring node's output, to be kept with the workflow. */
import { isNumber } from "./numbers.mjs";

/** @typedef {Record<string, any[]>} Output */

/** Characters of JSON that a copy should have at most. */
export const ENOUGH = 60_000;
/** What stands there twice, or can be worked out from the rest. */
const LEFT_OUT = new Set([
  "clip_similarity_score", "clip_match_status", "clip_is_match", "clip_score", "clip_score_100", "source", "picture_percentile",
]);
/** What is the same in all entries, and only in tooltips. */
const SAME_IN_ALL = new Set(["probability_scale", "model"]);
/** Digits of a number that anybody reads. */
const DIGITS = 6;
/** A text of a long list is cut to so many characters, if need be. */
const SHORT = 80;

/**
 * The copy, with as much as there is room for: first go the phrases that are there, then all details, last the ends of texts.
 * @param {Output} output
 * @param {number} [enough]
 * @returns {Output}
 */
export function compact(output, enough = ENOUGH) {
  const slim = copy(output, LEFT_OUT);
  for (const less of [whole, onlyMissing, withoutDetails, shortTexts]) {
    const kept = less(slim);
    if (less === shortTexts || JSON.stringify(kept).length <= enough) return less === whole ? kept : noted(kept);
  }
  return slim;
}

/**
 * @param {Output} output
 * @param {Set<string>} leftOut
 * @returns {Output}
 */
function copy(output, leftOut) {
  return JSON.parse(JSON.stringify(output, (key, value) => {
    if (leftOut.has(key) || value === "") return undefined;
    return isNumber(value) && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value;
  }));
}

/** @param {Output} output */
const whole = (output) => output;

/** @param {Output} output */
const onlyMissing = (output) => changed(copy(output, SAME_IN_ALL), (one) => {
  const missing = one.phrases?.filter((/** @type {any} */ phrase) => phrase.is_missing);
  return { ...one, phrases: missing, top: one.top?.slice(0, 2) };
});

/** @param {Output} output */
const withoutDetails = (output) => copy(output, new Set([...SAME_IN_ALL, "phrases", "top", "facets", "dropped"]));

/** @param {Output} output */
const shortTexts = (output) => changed(withoutDetails(output), (one) => (
  one.text?.length > SHORT ? { ...one, text: `${one.text.slice(0, SHORT)}…` } : one
));

/**
 * @param {Output} output
 * @param {(one: any) => any} change
 * @returns {Output}
 */
function changed(output, change) {
  const isChanged = (/** @type {string} */ key) => key.startsWith("clip_") && key !== "clip_notes";
  return Object.fromEntries(Object.entries(output).map(([key, list]) => [key, isChanged(key) ? list.map(change) : list]));
}

/**
 * @param {Output} output
 * @returns {Output}
 */
function noted(output) {
  const note = "the workflow keeps a short form of this result; queue it again to see all of it";
  return { ...output, clip_notes: [...(output.clip_notes ?? []), note] };
}
