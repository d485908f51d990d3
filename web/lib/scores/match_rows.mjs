// @ts-check
/** Rows of CLIP Match Score: one for each pair of a picture and a text. */
import { text } from "../texts.mjs";
import {
  axisOf,
  axisText,
  barOf,
  formatScore,
  formatSigned,
  isNumber,
  marksOn,
  placeOn,
  scaleName,
} from "./numbers.mjs";

/** @typedef {import("./rows.mjs").MatchEntry} MatchEntry */
/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {import("./rows.mjs").Rows} Rows */
/** @typedef {"match" | "weak" | "mismatch" | "undecided"} Verdict */
/** @typedef {{name: string, picture: string}} Named */
/**
 * @typedef {object} Drawing what the rows of a result have in common
 * @property {"cosine" | "percentile" | "probability"} scale
 * @property {import("./numbers.mjs").Axis} axis
 * @property {number} digits
 * @property {(entry: MatchEntry) => Named} nameOf
 */

/**
 * @param {MatchEntry[]} entries
 * @param {number} digits
 * @returns {Rows}
 */
export function matchRows(entries, digits) {
  const scale = entries.find((entry) => entry.threshold_scale)?.threshold_scale ?? "cosine";
  const axis = axisOf(
    scale,
    entries.flatMap((entry) => [entry[scale], entry.threshold]),
  );
  const drawing = { scale, axis, digits, nameOf: namesOf(entries) };
  const threshold = entries.find((entry) => isNumber(entry.threshold))?.threshold;
  const limit =
    isNumber(threshold) &&
    text("scores.threshold_of", { scale: scaleName(scale), value: formatScore(threshold, digitsOf(scale, digits)) });
  return {
    rows: entries.map((entry) => matchRow(entry, drawing)),
    scale: [limit, axisText(scale, axis)].filter(Boolean).join(" · "),
  };
}

/** @returns {Record<Verdict, string>} */
function verdictWords() {
  return {
    match: text("match.match"),
    weak: text("match.weak"),
    mismatch: text("match.mismatch"),
    undecided: text("match.undecided"),
  };
}

/**
 * Percentiles are whole numbers.
 * @param {string} scale
 * @param {number} digits
 */
function digitsOf(scale, digits) {
  return scale === "percentile" ? 0 : digits;
}

/**
 * @param {MatchEntry} entry
 * @param {Drawing} drawing
 * @returns {Row}
 */
function matchRow(entry, { scale, axis, digits, nameOf }) {
  const value = entry[scale];
  if (!isNumber(value)) return unreadRow(entry, nameOf(entry));
  const words = verdictWords();
  const state = entry.verdict && entry.verdict in words ? /** @type {Verdict} */ (entry.verdict) : "undecided";
  const marks = marksOn(axis, entry.threshold, scaleName(scale), digits);
  if (scale === "cosine" && isNumber(entry.noise_floor)) {
    const title = text("match.noise", { value: formatScore(entry.noise_floor, digits) });
    marks.push({ kind: "noise", at: placeOn(entry.noise_floor, axis), title });
  }
  return {
    ...nameOf(entry),
    state,
    word: words[state],
    marks,
    bar: barOf(value, axis),
    score: `${scaleName(scale)} ${formatScore(value, digitsOf(scale, digits))}`,
    phrases: (entry.phrases ?? []).map((phrase) => phraseOf(phrase, digits)),
    note: entry.reason ?? "",
    details: detailsOf(entry, words[state], digits),
  };
}

/**
 * @param {MatchEntry} entry
 * @param {Named} named
 * @returns {Row}
 */
function unreadRow(entry, named) {
  const note = entry.reason || entry.clip_match_status || text("score.none_here");
  const details = [text("score.not_read_name", { name: entry.image ?? "" }), note, entry.text]
    .filter(Boolean)
    .join("\n");
  return {
    ...named,
    state: "unread",
    word: text("score.not_read"),
    score: text("score.none"),
    bar: null,
    marks: [],
    phrases: [],
    note,
    details,
  };
}

/**
 * What rows are called: by what differs among the pairs.
 * @param {MatchEntry[]} entries
 * @returns {(entry: MatchEntry) => Named}
 */
function namesOf(entries) {
  const hasOneText = new Set(entries.map((entry) => entry.text)).size === 1;
  const hasOneImage = new Set(entries.map((entry) => entry.image)).size === 1;
  if (hasOneText && !hasOneImage) return (entry) => ({ name: entry.image ?? "", picture: "" });
  if (hasOneImage) return (entry) => ({ name: entry.text ?? "", picture: "" });
  return (entry) => ({ name: entry.text ?? "", picture: entry.image ?? "" });
}

/**
 * @param {NonNullable<MatchEntry["phrases"]>[number]} phrase
 * @param {number} digits
 * @returns {import("./rows.mjs").Phrase}
 */
function phraseOf(phrase, digits) {
  const values = {
    phrase: phrase.text,
    cosine: formatScore(phrase.cosine, digits),
    support: formatSigned(phrase.support, digits),
  };
  const title = phrase.is_missing ? text("match.phrase_missing", values) : text("match.phrase_found", values);
  return { text: phrase.text, isMissing: phrase.is_missing, title };
}

/**
 * @param {MatchEntry} entry
 * @param {string} verdict
 * @param {number} digits
 * @returns {string}
 */
function detailsOf(entry, verdict, digits) {
  const scales = /** @type {const} */ (["cosine", "clip_score", "probability", "percentile", "noise_floor"]);
  const scores = scales
    .filter((scale) => isNumber(entry[scale]))
    .map((scale) => {
      const of = scale === "probability" && entry.probability_scale ? ` (${entry.probability_scale})` : "";
      return `${scaleName(scale)} ${formatScore(entry[scale], digitsOf(scale, digits))}${of}`;
    });
  const threshold = {
    scale: scaleName(entry.threshold_scale ?? "cosine"),
    value: formatScore(entry.threshold, digits),
  };
  return [
    entry.image,
    entry.text,
    entry.reason ? `${verdict}: ${entry.reason}` : verdict,
    scores.join(", "),
    isNumber(entry.threshold) && text("scores.threshold", threshold),
    entry.model && text("score.model", { name: entry.model }),
    entry.dropped && text("match.dropped", { text: entry.dropped }),
  ]
    .filter(Boolean)
    .join("\n");
}
