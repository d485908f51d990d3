// @ts-check
/** Scores as text, and as places on a bar; all bars of a result have the same axis, so that they can be compared. */
import { setting } from "../front_end.mjs";
import { text } from "../texts.mjs";

/** @typedef {{low: number, high: number}} Axis */
/** @typedef {import("./rows.mjs").Mark} Mark */

/** Digits after the point where the user has set none, and the most that there can be. */
export const DEFAULT_DECIMALS = 3;
const MAX_DECIMALS = 6;

/**
 * Digits after the point, as set by the user.
 * @returns {number} a whole number from 0 to 6
 */
export function decimals() {
  const digits = Math.round(Number(setting("ClipGrid.Decimals", DEFAULT_DECIMALS)));
  return Number.isFinite(digits) ? Math.min(MAX_DECIMALS, Math.max(0, digits)) : DEFAULT_DECIMALS;
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/**
 * A score with so many digits after the point; a very large one, or one that would become 0, has an exponent.
 * @param {unknown} value
 * @param {number} digits
 * @returns {string}
 */
export function formatScore(value, digits) {
  if (!isNumber(value)) return text("score.no_number");
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(digits);
  if (size > 0 && size < 0.5 * 10 ** -digits && size < 1e-4) return value.toExponential(1);
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
}

/** Digits after the point of a z: more of them say nothing. */
const Z_DIGITS = 2;

/**
 * Digits after the point of numbers on a scale: percentiles are whole numbers, and z has two digits at most.
 * @param {string} scale
 * @param {number} digits as set by the user
 * @returns {number}
 */
export function digitsOf(scale, digits) {
  if (scale === "percentile") return 0;
  return scale === "z" ? Math.min(Z_DIGITS, digits) : digits;
}

/**
 * A score with the name of its scale, in the digits of the scale.
 * @param {string} scale
 * @param {unknown} value
 * @param {number} digits as set by the user
 * @returns {string}
 */
export function scoreOn(scale, value, digits) {
  return `${scaleName(scale)} ${formatScore(value, digitsOf(scale, digits))}`;
}

/**
 * A probability; one that would become 0 is written as less than the least number with these digits.
 * @param {unknown} value
 * @param {number} digits
 * @returns {string}
 */
export function formatProbability(value, digits) {
  if (!isNumber(value)) return text("score.no_number");
  const least = 10 ** -digits;
  return value > 0 && value < least / 2 ? `<${least.toFixed(digits)}` : value.toFixed(digits);
}

/**
 * @param {number} value
 * @param {number} digits
 * @returns {string} with its sign
 */
export function formatSigned(value, digits) {
  const score = formatScore(value, digits);
  return value > 0 ? `+${score}` : score.replace("-", "−");
}

const SCALES = /** @type {const} */ ({
  z: "scale.z",
  cosine: "scale.cosine",
  clip_score: "scale.clip_score",
  probability: "scale.probability",
  percentile: "scale.percentile",
});

/**
 * The name of a scale in the user's language.
 * @param {string} scale
 * @returns {string}
 */
export function scaleName(scale) {
  return scale in SCALES ? text(SCALES[/** @type {keyof typeof SCALES} */ (scale)]) : scale;
}

/**
 * What the bars show, with the ends of their axis.
 * @param {string} scale empty if it is said elsewhere
 * @param {Axis} axis
 * @returns {string}
 */
export function axisText(scale, { low, high }) {
  // as many digits as the scores below have, so that the line is no longer than it must be
  const rounded = (/** @type {number} */ end) => Number(formatScore(end, digitsOf(scale, decimals())));
  const ends = { low: rounded(low), high: rounded(high) };
  return scale ? text("scores.bars_of", { scale: scaleName(scale), ...ends }) : text("scores.bars", ends);
}

/** Where the axis of cosines ends: those of CLIP rarely reach 0.4. */
const COSINE_ENDS = [0.4, 0.6, 0.8, 1];
/** The axis of z where no value lies beyond: unrelated texts have about -2 to 2, right ones 2 to 6. */
const Z_AXIS = { low: -2, high: 6 };

/**
 * The axis of a scale that holds all these numbers.
 * @param {string} scale
 * @param {unknown[]} values those that are no numbers are ignored
 * @returns {Axis}
 */
export function axisOf(scale, values) {
  const numbers = values.filter(isNumber);
  const least = numbers.reduce((a, b) => Math.min(a, b), 0);
  const most = numbers.reduce((a, b) => Math.max(a, b), 0);
  if (scale.startsWith("cosine")) {
    return { low: Math.floor(10 * least) / 10, high: COSINE_ENDS.find((end) => most <= end) ?? most };
  }
  if (scale === "z") {
    return { low: Math.min(Z_AXIS.low, Math.floor(least)), high: Math.max(Z_AXIS.high, Math.ceil(most)) };
  }
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
 * Where the bar of a number begins and ends, from 0 to 1: all bars begin at zero.
 * @param {number} value
 * @param {Axis} axis
 * @returns {[number, number]}
 */
export function barOf(value, axis) {
  return [placeOn(Math.min(0, value), axis), placeOn(Math.max(0, value), axis)];
}

/**
 * The marks that bars of every kind have: at zero, unless the axis begins there, and at the threshold, if there is one.
 * @param {Axis} axis
 * @param {unknown} threshold
 * @param {string} scale its name
 * @param {number} digits
 * @returns {Mark[]}
 */
export function marksOn(axis, threshold, scale, digits) {
  /** @type {Mark[]} */
  const marks = axis.low < 0 && axis.high > 0 ? [{ kind: "zero", at: placeOn(0, axis), title: "0" }] : [];
  if (isNumber(threshold)) {
    const title = text("scores.threshold", { scale, value: formatScore(threshold, digits) });
    marks.push({ kind: "threshold", at: placeOn(threshold, axis), title });
  }
  return marks;
}
