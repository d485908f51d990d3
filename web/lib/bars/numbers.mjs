// @ts-check
/** Numbers as people read them. */

/** Digits after the point where the user has set none, and the most that there can be. */
export const DECIMALS = 3;
const MOST_DECIMALS = 6;

/**
 * What was set, as a whole number of digits.
 * @param {unknown} given
 * @returns {number}
 */
export function decimalsOf(given) {
  const digits = Math.round(Number(given ?? DECIMALS));
  return Number.isFinite(digits) ? Math.min(MOST_DECIMALS, Math.max(0, digits)) : DECIMALS;
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/**
 * A number with so many digits after its point; those that this would hide or stretch have an exponent.
 * @param {unknown} value
 * @param {number} decimals
 * @returns {string}
 */
export function told(value, decimals) {
  if (!isNumber(value)) return "no number";
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(decimals);
  if (size > 0 && size < 0.5 * 10 ** -decimals && size < 1e-4) return value.toExponential(1);
  return value.toFixed(decimals).replace(/^-(0\.?0*)$/, "$1");
}

/**
 * A probability, which is less than the least that can be told where it is very small.
 * @param {unknown} value
 * @param {number} decimals
 * @returns {string}
 */
export function chance(value, decimals) {
  if (!isNumber(value)) return "no number";
  const least = 10 ** -decimals;
  return value > 0 && value < least / 2 ? `<${least.toFixed(decimals)}` : value.toFixed(decimals);
}

/**
 * @param {number} value
 * @param {number} decimals
 * @returns {string} with its sign
 */
export function signed(value, decimals) {
  const text = told(value, decimals);
  return value > 0 ? `+${text}` : text.replace("-", "−");
}

/**
 * The end of an axis, without needless digits.
 * @param {number} value
 * @returns {string}
 */
export function roundly(value) {
  return String(Number(value.toPrecision(3)));
}
