// @ts-check
/** Rows of CLIP Match Score: one for each pair of a picture and a text. */
import { text } from "../texts.mjs";
import {
  axisOf,
  axisText,
  barOf,
  digitsOf,
  formatScore,
  formatSigned,
  isNumber,
  marksOn,
  placeOn,
  scaleName,
  scoreOn,
} from "./numbers.mjs";

/** @typedef {import("./rows.mjs").MatchEntry} MatchEntry */
/** @typedef {import("./rows.mjs").Mark} Mark */
/** @typedef {import("./rows.mjs").PhraseState} PhraseState */
/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {import("./rows.mjs").Rows} Rows */
/** @typedef {NonNullable<MatchEntry["threshold_scale"]>} Scale */
/** @typedef {"match" | "weak" | "mismatch" | "undecided"} Verdict */
/** @typedef {{name: string, picture: string}} Named */
/**
 * @typedef {object} Drawing what the rows of a result have in common
 * @property {Scale} scale
 * @property {import("./numbers.mjs").Axis} axis
 * @property {number} digits
 * @property {(entry: MatchEntry) => Named} nameOf
 */

/** The z below which a text is a mismatch, whatever the threshold is: LEAST_Z of clip_backend/matching/scores.py. */
const LEAST_Z = 1;

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

/** @returns {Record<PhraseState, string>} */
function phraseWords() {
  return { shown: text("match.shown"), unclear: text("match.unclear"), missing: text("match.missing") };
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
  // the score output of the node is the cosine
  const shown = scale === "cosine" || !isNumber(entry.cosine) ? [scale] : [scale, "cosine"];
  return {
    ...nameOf(entry),
    state,
    word: words[state],
    marks: matchMarks(entry, scale, axis, digits),
    bar: barOf(value, axis),
    score: shown.map((one) => scoreOn(one, entry[/** @type {Scale} */ (one)], digits)).join(" · "),
    phrases: (entry.phrases ?? []).map((phrase) => phraseOf(phrase, digits)),
    note: entry.reason ?? "",
    details: detailsOf(entry, words[state], digits),
  };
}

/**
 * The marks of every bar, and on one of z also the part where a text is weak.
 * @param {MatchEntry} entry
 * @param {Scale} scale
 * @param {import("./numbers.mjs").Axis} axis
 * @param {number} digits
 * @returns {Mark[]}
 */
function matchMarks({ threshold }, scale, axis, digits) {
  const own = digitsOf(scale, digits);
  const marks = marksOn(axis, threshold, scaleName(scale), own);
  if (scale !== "z" || !isNumber(threshold) || threshold <= LEAST_Z) return marks;
  const values = { scale: scaleName(scale), low: formatScore(LEAST_Z, own), high: formatScore(threshold, own) };
  const title = text("match.weak_from", values);
  return [{ kind: "weak", at: placeOn(LEAST_Z, axis), end: placeOn(threshold, axis), title }, ...marks];
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
 * @param {import("./rows.mjs").ScoredPhrase} phrase
 * @param {number} digits
 * @returns {import("./rows.mjs").Phrase}
 */
function phraseOf({ text: phrase, status, z, cosine, support, is_missing: isMissing }, digits) {
  const state = status ?? (isMissing ? "missing" : "shown");
  const scores = [
    isNumber(z) && scoreOn("z", z, digits),
    scoreOn("cosine", cosine, digits),
    // in standard deviations as z is, in results of version 0.1 a cosine
    text("match.support", { value: formatSigned(support, isNumber(z) ? digitsOf("z", digits) : digits) }),
  ];
  const values = { phrase, scores: scores.filter(Boolean).join(", ") };
  const title = {
    shown: text("match.phrase_shown", values),
    unclear: text("match.phrase_unclear", values),
    missing: text("match.phrase_missing", values),
  }[state];
  return { text: phrase, state, word: phraseWords()[state], title };
}

/**
 * @param {MatchEntry} entry
 * @param {string} verdict
 * @param {number} digits
 * @returns {string}
 */
function detailsOf(entry, verdict, digits) {
  const scales = /** @type {const} */ (["z", "percentile", "cosine", "clip_score", "probability"]);
  const scores = scales
    .filter((scale) => isNumber(entry[scale]))
    .map((scale) => {
      const of = scale === "probability" && entry.probability_scale ? ` (${entry.probability_scale})` : "";
      return `${scoreOn(scale, entry[scale], digits)}${of}`;
    });
  const scale = entry.threshold_scale ?? "cosine";
  const threshold = { scale: scaleName(scale), value: formatScore(entry.threshold, digitsOf(scale, digits)) };
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
