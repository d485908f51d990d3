// @ts-check
/** Labels of pictures, as CLIP Label tells of them, to rows. */
import { axisOf, placeOn } from "./axis.mjs";
import { chance, isNumber, told } from "./numbers.mjs";
import { countsOf, lines } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */

/** @type {Partial<Record<import("./rows.mjs").State, string>>} */
const WORDS = { label: "labelled", none: "without label", unread: "not read" };
const AXIS = axisOf("probability", []);
const NO_LABELS = new Set(["unlabeled", "none of these"]);
/** Of the likeliest labels, those that a row names. */
const MOST_NEXT = 2;

/**
 * @param {any[]} entries of `clip_labels`
 * @param {number} decimals
 * @returns {import("./rows.mjs").Result}
 */
export function labelResult(entries, decimals) {
  const scales = [...new Set(entries.map((one) => one.scale).filter(Boolean))];
  const rows = entries.map((one) => labelRow(one, decimals, scales.length > 1));
  const scale = scales.length === 1 ? `probability: ${scales[0]}` : "bars: probability, 0 to 1";
  return { rows, counts: countsOf(rows, WORDS), scale, notes: [] };
}

/**
 * @param {any} one
 * @param {number} decimals
 * @param {boolean} isScaleTold whether the row tells its scale, for the rows have different ones
 * @returns {Row}
 */
function labelRow(one, decimals, isScaleTold) {
  const picture = String(one.path ?? "");
  if (!isNumber(one.score)) return unreadRow(one, picture);
  const isNone = NO_LABELS.has(one.label) || !(one.labels ?? [one.label]).length;
  const others = nextOf(one);
  const next = others.slice(0, MOST_NEXT).map(({ label, probability }) => `${label} ${chance(probability, decimals)}`);
  const kind = isNone ? "likeliest" : others.some(({ probability }) => probability > one.score) ? "others" : "next";
  const also = (one.labels ?? []).filter((/** @type {string} */ label) => !String(one.label).split(" · ").includes(label));
  const notes = [one.reason, also.length && `also: ${also.join(", ")}`, next.length && `${kind}: ${next.join(", ")}`, isScaleTold && one.scale];
  return {
    state: isNone ? "none" : "label", word: isNone ? "no label" : "", name: String(one.label), of: picture,
    number: `probability ${chance(one.score, decimals)}`, bar: [0, placeOn(one.score, AXIS)],
    marks: isNone ? [] : others.slice(0, 1).map((other) => nextMark(other, decimals)), chips: [],
    note: notes.filter(Boolean).join(" · "), told: everything(one, picture, decimals),
  };
}

/**
 * @param {any} one
 * @param {string} name
 * @returns {Row}
 */
function unreadRow(one, name) {
  const why = one.reason || "there is no score";
  const text = lines(`${name}: not read`, why);
  return { state: "unread", word: "not read", name, of: "", number: "no score", bar: null, marks: [], chips: [], note: why, told: text };
}

/**
 * The likeliest labels beside those that the picture has.
 * @param {any} one
 * @returns {{label: string, facet: string, probability: number, cosine: number}[]}
 */
function nextOf(one) {
  const has = new Set([one.label, ...(one.labels ?? []), ...Object.values(one.facets ?? {})]);
  return (one.top ?? []).filter((/** @type {any} */ other) => isNumber(other.probability) && !has.has(other.label));
}

/**
 * @param {{label: string, probability: number}} other
 * @param {number} decimals
 * @returns {import("./rows.mjs").Mark}
 */
function nextMark({ label, probability }, decimals) {
  return { kind: "next", at: placeOn(probability, AXIS), told: `next: ${label}, probability ${chance(probability, decimals)}` };
}

/**
 * @param {any} one
 * @param {string} picture
 * @param {number} decimals
 * @returns {string}
 */
function everything(one, picture, decimals) {
  const top = (one.top ?? []).map((/** @type {any} */ other) => {
    const facet = other.facet && other.facet !== "label" ? `${other.facet}: ` : "";
    return `  ${facet}${other.label}: probability ${chance(other.probability, decimals)}, cosine ${told(other.cosine, decimals)}`;
  });
  const head = `${one.label}: probability ${chance(one.score, decimals)}${one.scale ? ` (${one.scale})` : ""}`;
  return lines(picture, head, one.reason, top.length > 0 && "likeliest:", ...top);
}
