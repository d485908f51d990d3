// @ts-check
/** Where numbers lie on a bar; all bars of a result have the same axis, so that they can be compared. */
import { isNumber } from "./numbers.mjs";

/** @typedef {{low: number, high: number}} Axis */

/** Where the axis of cosines ends: CLIP's rarely reach 0.4. */
const COSINE_ENDS = [0.4, 0.6, 0.8, 1];

/**
 * The axis of a scale that holds all the numbers.
 * @param {string} scale
 * @param {unknown[]} given numbers; others are passed over
 * @returns {Axis}
 */
export function axisOf(scale, given) {
  const values = given.filter(isNumber);
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  if (scale.startsWith("cosine")) return { low: Math.floor(10 * least) / 10, high: COSINE_ENDS.find((end) => most <= end) ?? most };
  if (scale === "percentile") return { low: 0, high: 100 };
  if (scale === "probability") return { low: 0, high: 1 };
  return { low: least, high: most > least ? most : least + 1 };
}

/**
 * The place of a number on an axis, from 0 to 1.
 * @param {number} value
 * @param {Axis} axis
 * @returns {number}
 */
export function placeOn(value, { low, high }) {
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}

/**
 * Where the bar of a number begins and ends, from 0 to 1: all bars begin at the axis's zero.
 * @param {number} value
 * @param {Axis} axis
 * @returns {[number, number]}
 */
export function barOf(value, axis) {
  return [placeOn(Math.min(0, value), axis), placeOn(Math.max(0, value), axis)];
}

/**
 * @param {unknown} threshold
 * @param {Axis} axis
 * @param {string} told the threshold with its scale
 * @returns {import("./rows.mjs").Mark[]} none if there is no threshold
 */
export function thresholdMark(threshold, axis, told) {
  return isNumber(threshold) ? [{ kind: "threshold", at: placeOn(threshold, axis), told: `threshold: ${told}` }] : [];
}

/**
 * The mark of an axis that does not begin at zero.
 * @param {Axis} axis
 * @returns {import("./rows.mjs").Mark[]}
 */
export function zeroMark(axis) {
  return axis.low < 0 && axis.high > 0 ? [{ kind: "zero", at: placeOn(0, axis), told: "0" }] : [];
}
