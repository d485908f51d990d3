// @ts-check
/** Rows of the nodes that have one result for each picture: CLIP Label, Rank Images and Search Images. */
import { text } from "../texts.mjs";
import {
  axisOf,
  axisText,
  barOf,
  formatProbability,
  formatScore,
  isNumber,
  marksOn,
  placeOn,
  scaleName,
  scoreOn,
} from "./numbers.mjs";

/** @typedef {import("./rows.mjs").LabelEntry} LabelEntry */
/** @typedef {import("./rows.mjs").RankEntry} RankEntry */
/** @typedef {import("./rows.mjs").HitEntry} HitEntry */
/** @typedef {import("./rows.mjs").ScoredLabel} ScoredLabel */
/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {import("./rows.mjs").Rows} Rows */

const PROBABILITY = axisOf("probability", []);
/** Labels that say that there is none. */
const NO_LABELS = ["unlabeled", "none of these"];
/** How many of the next best labels a row names. */
const MAX_OTHERS = 2;

/**
 * @param {LabelEntry[]} entries
 * @param {number} digits
 * @returns {Rows}
 */
export function labelRows(entries, digits) {
  const scales = new Set(entries.map((entry) => entry.scale).filter((scale) => scale !== undefined && scale !== ""));
  const [scale] = scales.size === 1 ? scales : [];
  const rows = entries.map((entry) =>
    isNumber(entry.score) ? labelRow(entry, entry.score, digits, scales.size > 1) : unreadRow(entry),
  );
  return { rows, scale: scale ? text("label.scale", { scale }) : axisText("probability", PROBABILITY) };
}

/**
 * @param {LabelEntry} entry
 * @param {number} probability
 * @param {number} digits
 * @param {boolean} showScale where the pictures have different ones
 * @returns {Row}
 */
function labelRow(entry, probability, digits, showScale) {
  const { label = "", labels = [label], path = "" } = entry;
  const hasLabel = !NO_LABELS.includes(label) && labels.length > 0;
  const others = othersOf(entry);
  const more = labels.filter((one) => !label.split(" · ").includes(one));
  const note = [
    entry.reason,
    more.length > 0 && text("label.also", { labels: more.join(", ") }),
    othersText(others, probability, hasLabel, digits),
    showScale && entry.scale,
  ];
  return {
    state: hasLabel ? "label" : "none",
    word: hasLabel ? "" : text("label.none"),
    name: label,
    picture: path,
    score: probabilityText(probability, digits),
    bar: [0, placeOn(probability, PROBABILITY)],
    marks: hasLabel ? others.slice(0, 1).map((other) => otherMark(other, digits)) : [],
    phrases: [],
    note: note.filter(Boolean).join(" · "),
    details: labelDetails(entry, probability, digits),
  };
}

/**
 * @param {LabelEntry} entry
 * @returns {Row}
 */
function unreadRow({ path: name = "", reason }) {
  const note = reason || text("score.none_here");
  const details = `${text("score.not_read_name", { name })}\n${note}`;
  return {
    state: "unread",
    word: text("score.not_read"),
    name,
    picture: "",
    score: text("score.none"),
    bar: null,
    marks: [],
    phrases: [],
    note,
    details,
  };
}

/**
 * @param {number} probability
 * @param {number} digits
 */
function probabilityText(probability, digits) {
  return `${scaleName("probability")} ${formatProbability(probability, digits)}`;
}

/**
 * The likeliest labels that the picture does not have.
 * @param {LabelEntry} entry
 * @returns {ScoredLabel[]}
 */
function othersOf({ label, labels = [], facets = {}, top = [] }) {
  const has = [label, ...labels, ...Object.values(facets)];
  return top.filter((other) => isNumber(other.probability) && !has.includes(other.label));
}

/**
 * @param {ScoredLabel[]} others
 * @param {number} probability of the picture's label
 * @param {boolean} hasLabel
 * @param {number} digits
 * @returns {string}
 */
function othersText(others, probability, hasLabel, digits) {
  if (!others.length) return "";
  const labels = others
    .slice(0, MAX_OTHERS)
    .map((other) => `${other.label} ${formatProbability(other.probability, digits)}`)
    .join(", ");
  if (!hasLabel) return text("label.likeliest", { labels });
  return others.some((other) => other.probability > probability)
    ? text("label.others", { labels })
    : text("label.next", { labels });
}

/**
 * @param {ScoredLabel} other
 * @param {number} digits
 * @returns {import("./rows.mjs").Mark}
 */
function otherMark({ label, probability }, digits) {
  const labels = `${label}, ${probabilityText(probability, digits)}`;
  return { kind: "next", at: placeOn(probability, PROBABILITY), title: text("label.next", { labels }) };
}

/**
 * @param {LabelEntry} entry
 * @param {number} probability
 * @param {number} digits
 * @returns {string}
 */
function labelDetails({ path, label, scale, reason, top = [] }, probability, digits) {
  const others = top.map((other) => {
    const facet = other.facet && other.facet !== "label" ? `${other.facet}: ` : "";
    const z = isNumber(other.z) && scoreOn("z", other.z, digits);
    const scores = [probabilityText(other.probability, digits), z, scoreOn("cosine", other.cosine, digits)];
    return `  ${facet}${other.label}: ${scores.filter(Boolean).join(", ")}`;
  });
  const head = `${label}: ${probabilityText(probability, digits)}${scale ? ` (${scale})` : ""}`;
  return [path, head, reason, ...(others.length ? [text("label.top"), ...others] : [])].filter(Boolean).join("\n");
}

/**
 * @param {RankEntry[]} entries the best first
 * @param {number} digits
 * @returns {Rows}
 */
export function rankRows(entries, digits) {
  const scale = entries[0]?.scale ?? "";
  const axis = axisOf(
    scale,
    entries.flatMap((entry) => [entry.score, entry.threshold]),
  );
  const by = scale === "given" ? text("rank.by_given") : scale && text("rank.by", { scale });
  return {
    rows: entries.map((entry, place) => rankRow(entry, place, scale, axis, digits)),
    scale: [by, axisText("", axis)].filter(Boolean).join(" · "),
  };
}

/**
 * @param {RankEntry} entry
 * @param {number} place from 0
 * @param {string} scale
 * @param {import("./numbers.mjs").Axis} axis
 * @param {number} digits
 * @returns {Row}
 */
function rankRow(entry, place, scale, axis, digits) {
  const name = `${place + 1}. ${entry.path ?? ""}`;
  const unit = scale.startsWith("cosine") ? scaleName("cosine") : text("rank.score");
  const hasScore = isNumber(entry.score);
  const state = entry.is_kept ? "kept" : hasScore ? "rejected" : "unscored";
  const word = { kept: text("rank.kept"), rejected: text("rank.not_kept"), unscored: text("rank.without") }[state];
  const score = isNumber(entry.score) ? `${unit} ${formatScore(entry.score, digits)}` : text("score.none");
  const verdict = entry.is_kept ? text("rank.kept") : text("rank.not_kept_because", { reason: entry.reason ?? "" });
  return {
    state,
    word,
    name,
    picture: "",
    score,
    bar: isNumber(entry.score) ? barOf(entry.score, axis) : null,
    marks: marksOn(axis, entry.threshold, unit, digits),
    phrases: [],
    note: entry.reason ?? "",
    details: [name, score, scale && text("rank.scale", { scale }), verdict].filter(Boolean).join("\n"),
  };
}

/**
 * @param {HitEntry[]} entries the best first, weak ones last
 * @param {number} digits
 * @returns {Rows}
 */
export function hitRows(entries, digits) {
  const values = entries.map((entry) => entry.z).filter(isNumber);
  const axis = axisOf("z", values);
  return {
    rows: entries.map((entry, place) => hitRow(entry, place, axis, digits)),
    scale: values.length ? axisText("z", axis) : "",
  };
}

/**
 * @param {HitEntry} entry
 * @param {number} place from 0
 * @param {import("./numbers.mjs").Axis} axis
 * @param {number} digits
 * @returns {Row}
 */
function hitRow(entry, place, axis, digits) {
  const name = `${place + 1}. ${entry.path ?? ""}`;
  const score = isNumber(entry.z) ? scoreOn("z", entry.z, digits) : "";
  const better = isNumber(entry.percentile) && text("search.percentile", { percent: entry.percentile.toFixed(1) });
  const weak = entry.is_weak ? text("match.weak") : "";
  const by = isNumber(entry.keyword_rank) && text("search.by_keywords");
  return {
    state: entry.is_weak ? "weak" : "match",
    word: weak,
    name,
    picture: "",
    score,
    bar: isNumber(entry.z) ? barOf(entry.z, axis) : null,
    marks: marksOn(axis, null, "", digits),
    phrases: [],
    note: [better, by].filter(Boolean).join(" · "),
    details: [name, score, better, by, weak].filter(Boolean).join("\n"),
  };
}
