// @ts-check
/** Pairs of pictures and texts, as CLIP Match Score tells of them, to rows. */
import { axisOf, barOf, placeOn, thresholdMark, zeroMark } from "./axis.mjs";
import { isNumber, roundly, signed, told } from "./numbers.mjs";
import { countsOf, lines } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {import("./rows.mjs").Chip} Chip */

/** @type {Partial<Record<import("./rows.mjs").State, string>>} */
const WORDS = { match: "match", weak: "weak", mismatch: "mismatch", undecided: "undecided", unread: "not read" };

/**
 * @param {any[]} entries of `clip_match`
 * @param {number} decimals
 * @returns {import("./rows.mjs").Result}
 */
export function matchResult(entries, decimals) {
  const scale = entries.find((one) => one.threshold_scale)?.threshold_scale ?? "cosine";
  const axis = axisOf(scale, entries.flatMap((one) => [one[scale], one.threshold]));
  const drawn = { scale, axis, decimals, names: namesOf(entries) };
  const rows = entries.map((one) => matchRow(one, drawn));
  const ends = `bars: ${scale}, ${roundly(axis.low)} to ${roundly(axis.high)}`;
  return { rows, counts: countsOf(rows, WORDS), scale: `${thresholdOf(entries, scale, decimals)}${ends}`, notes: [] };
}

/**
 * @param {any} one
 * @param {{scale: string, axis: import("./axis.mjs").Axis, decimals: number, names: (one: any) => [string, string]}} drawn
 * @returns {Row}
 */
function matchRow(one, { scale, axis, decimals, names }) {
  const [name, of] = names(one);
  const value = one[scale];
  if (!isNumber(value)) return unreadRow(one, name, of);
  const state = one.verdict in WORDS ? one.verdict : "undecided";
  const number = `${scale} ${told(value, scale === "percentile" ? 0 : decimals)}`;
  const chips = (one.phrases ?? []).map((/** @type {any} */ phrase) => chipOf(phrase, decimals));
  return {
    state, word: WORDS[/** @type {import("./rows.mjs").State} */ (state)] ?? "", name, of, number, bar: barOf(value, axis),
    marks: marksOf(one, scale, axis, decimals), chips, note: one.reason ?? "", told: everything(one, state, decimals),
  };
}

/**
 * @param {any} one
 * @param {string} name
 * @param {string} of
 * @returns {Row}
 */
function unreadRow(one, name, of) {
  const why = one.reason || one.clip_match_status || "there is no score";
  const text = lines(`${one.image}: not read`, why, one.text);
  return { state: "unread", word: "not read", name, of, number: "no score", bar: null, marks: [], chips: [], note: why, told: text };
}

/**
 * How pairs are called: by what differs among them.
 * @param {any[]} entries
 * @returns {(one: any) => [string, string]} the name, and the picture if it is not the name
 */
function namesOf(entries) {
  const isOneText = new Set(entries.map((one) => one.text)).size === 1;
  const isOneImage = new Set(entries.map((one) => one.image)).size === 1;
  if (isOneText && !isOneImage) return (one) => [String(one.image ?? ""), ""];
  if (isOneImage) return (one) => [String(one.text ?? ""), ""];
  return (one) => [String(one.text ?? ""), String(one.image ?? "")];
}

/**
 * @param {any} one
 * @param {string} scale
 * @param {import("./axis.mjs").Axis} axis
 * @param {number} decimals
 * @returns {import("./rows.mjs").Mark[]}
 */
function marksOf(one, scale, axis, decimals) {
  const marks = [...zeroMark(axis), ...thresholdMark(one.threshold, axis, `${scale} ${told(one.threshold, decimals)}`)];
  if (scale === "cosine" && isNumber(one.noise_floor)) {
    const text = `noise floor: with this text, noise reaches a cosine of ${told(one.noise_floor, decimals)}`;
    marks.push({ kind: "noise", at: placeOn(one.noise_floor, axis), told: text });
  }
  return marks;
}

/**
 * @param {any} phrase
 * @param {number} decimals
 * @returns {Chip}
 */
function chipOf(phrase, decimals) {
  const isMissing = Boolean(phrase.is_missing);
  const numbers = `cosine ${told(phrase.cosine, decimals)}, support ${signed(phrase.support, decimals)}`;
  return { text: String(phrase.text), isMissing, told: `${phrase.text}: ${isMissing ? "missing" : "there"}; ${numbers}` };
}

/**
 * @param {any} one
 * @param {string} state
 * @param {number} decimals
 * @returns {string}
 */
function everything(one, state, decimals) {
  const scores = ["cosine", "clip_score", "probability", "percentile", "noise_floor"].filter((name) => isNumber(one[name]));
  const of = one.probability_scale ? ` (${one.probability_scale})` : "";
  const numbers = scores.map((name) => {
    const number = told(one[name], name === "percentile" ? 0 : decimals);
    return `${SCALE[name] ?? name} ${number}${name === "probability" ? of : ""}`;
  });
  return lines(
    one.image, one.text, `${state}${one.reason ? `: ${one.reason}` : ""}`, numbers.join(", "),
    isNumber(one.threshold) && `threshold: ${one.threshold_scale ?? "cosine"} ${told(one.threshold, decimals)}`,
    one.model && `model: ${one.model}`, one.dropped && `not read: ${one.dropped}`,
  );
}

/** @type {Record<string, string>} */
const SCALE = { clip_score: "CLIPScore", noise_floor: "noise floor" };

/**
 * @param {any[]} entries
 * @param {string} scale
 * @param {number} decimals
 * @returns {string}
 */
function thresholdOf(entries, scale, decimals) {
  const threshold = entries.find((one) => isNumber(one.threshold))?.threshold;
  return isNumber(threshold) ? `threshold ${scale} ${told(threshold, scale === "percentile" ? 0 : decimals)} · ` : "";
}
