// @ts-check
/** The latest result of each node: shown after a run, a change of tabs and a reload, and saved with the workflow. */
import { app } from "../../../scripts/app.js";
import { callAfter, rootGraph, setting } from "./front_end.mjs";
import { text } from "./texts.mjs";

/** @typedef {import("./front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./files.mjs").FileEntry} FileEntry */
/** @typedef {import("./viewer/sheets.mjs").Report} Report */
/** @typedef {import("./scores/rows.mjs").MatchEntry} MatchEntry */
/** @typedef {import("./scores/rows.mjs").LabelEntry} LabelEntry */
/** @typedef {import("./scores/rows.mjs").RankEntry} RankEntry */
/** @typedef {import("./scores/rows.mjs").HitEntry} HitEntry */

/**
 * What a node sent to the page as `ui`; /history has the same.
 * @typedef {object} Output
 * @property {FileEntry[]} [images] for each page the saved file, or a picture of it if no browser shows its format
 * @property {Nested<Report | {grids: Report[]}>} [clip_grid] one report, or those of a batch
 * @property {Nested<FileEntry>} [clip_grid_files] every file that was written
 * @property {string[]} [clip_grid_reduced] for each page the name of a smaller copy in the temp folder, or ""
 * @property {number[]} [clip_grid_pictures] how many pictures are on each sheet
 * @property {MatchEntry[]} [clip_match]
 * @property {LabelEntry[]} [clip_labels]
 * @property {RankEntry[]} [clip_rank]
 * @property {HitEntry[]} [clip_search]
 * @property {{verdict?: string | null}[]} [clip_head] the report of a training
 * @property {string[]} [clip_notes]
 * @property {string[]} [text] lines for people, in one
 */
/**
 * A list in a list: newer ComfyUI counts the objects of a list as outputs. Version 0.1 had plain lists.
 * @template T
 * @typedef {(T | T[])[]} Nested
 */
/** @typedef {keyof Output} OutputKey */
/** @typedef {Partial<Record<OutputKey, number>>} FullLengths of the lists that were cut to fit into the workflow */
/** @typedef {{output: Output, cut?: FullLengths}} SavedResult */

/** The property of a node that holds the copy. */
const PROPERTY = "clip_grid_result";
/** Characters of JSON that a copy may have: workflows are saved after every change, and into every picture. */
const MAX_LENGTH = 64 * 1024;
/** The same before the lists of scores are cut. */
const SHORT_ENOUGH = 60_000;

/** @type {WeakMap<GraphNode, Output>} */
const latest = new WeakMap();

/**
 * The latest output of a node; a shortened copy where it has not run since the workflow was opened.
 * @param {GraphNode} node
 */
export function latestOutput(node) {
  return latest.get(node);
}

/**
 * Take away the result of a node, also from the workflow.
 * @param {GraphNode} node
 */
export function forgetResult(node) {
  latest.delete(node);
  delete node.properties[PROPERTY];
}

/**
 * Hooks of an extension that shows results, to be spread into registerExtension.
 * @param {object} options
 * @param {Record<string, OutputKey[]>} options.savedKeys for each node class, the lists that are saved with the workflow
 * @param {(node: GraphNode, output: Output, cut: FullLengths) => void} options.show also called again for an output
 * @param {(output: Output) => Output} [options.shorten] leaves out of the copy what can be spared
 */
export function resultHooks({ savedKeys, show, shorten = (output) => output }) {
  /** @type {typeof show} */
  const remember = (node, output, cut) => {
    latest.set(node, output);
    show(node, output, cut);
  };
  return {
    /** @param {GraphNode} node */
    nodeCreated(node) {
      const keys = savedKeys[node.comfyClass];
      if (!keys) return;
      callAfter(node, "onExecuted", (output) => {
        // the front end also calls the node of the same id in the workflow of another tab
        if (!output || !keys.some((key) => output[key])) return;
        save(node, shorten(output), keys);
        remember(node, output, {});
      });
      callAfter(node, "onConfigure", () => {
        const saved = /** @type {SavedResult | undefined} */ (node.properties?.[PROPERTY]);
        if (saved?.output) remember(node, saved.output, saved.cut ?? {});
      });
    },

    /** @param {Record<string, Output>} outputs */
    onNodeOutputsUpdated(outputs) {
      for (const [locator, output] of Object.entries(outputs ?? {})) {
        const node = nodeAt(locator);
        if (node && savedKeys[node.comfyClass]?.some((key) => output?.[key])) remember(node, output, {});
      }
    },
  };
}

/**
 * @param {string} locator the node's id, after the id of its subgraph if it is in one
 */
function nodeAt(locator) {
  const end = locator.lastIndexOf(":");
  const graph = end < 0 ? rootGraph() : rootGraph()?.subgraphs?.get(locator.slice(0, end));
  return graph?.getNodeById(locator.slice(end + 1));
}

/**
 * Save a copy with the workflow, unless the user does not want that.
 * @param {GraphNode} node
 * @param {Output} output
 * @param {OutputKey[]} keys
 */
function save(node, output, keys) {
  if (!setting("ClipGrid.KeepResults", true)) {
    delete node.properties[PROPERTY];
    return;
  }
  node.properties[PROPERTY] = cutToFit(output, keys);
  // ComfyUI looks for changes after clicks and keys, and a run ends without one
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/**
 * A copy of some lists of an output, of plain JSON; the longest lists are cut until it is short enough.
 * @param {Output} output
 * @param {OutputKey[]} keys
 * @param {number} [maxLength] characters of JSON
 * @returns {SavedResult}
 */
export function cutToFit(output, keys, maxLength = MAX_LENGTH) {
  const saved = /** @type {Record<string, unknown[]>} */ (
    copyOf(Object.fromEntries(keys.filter((key) => Array.isArray(output[key])).map((key) => [key, output[key]])))
  );
  const full = Object.entries(saved).map(([key, list]) => /** @type {const} */ ([key, list.length]));
  while (JSON.stringify(saved).length > maxLength) halveLongest(saved);
  const cut = full.filter(([key, length]) => saved[key].length < length);
  return cut.length ? { output: saved, cut: Object.fromEntries(cut) } : { output: saved };
}

/** @param {Record<string, unknown[]>} lists */
function halveLongest(lists) {
  const sizes = Object.entries(lists).map(([key, list]) => /** @type {const} */ ([JSON.stringify(list).length, key]));
  const [, key] = sizes.reduce((a, b) => (b[0] > a[0] ? b : a));
  lists[key].length = Math.floor(lists[key].length / 2);
}

/** What an output of scores has twice, or what follows from the rest. */
const REDUNDANT = [
  "clip_similarity_score",
  "clip_match_status",
  "clip_is_match",
  "clip_score",
  "clip_score_100",
  "source",
  "picture_percentile",
  "parts",
  "paths",
];
/** What is the same in all entries, and only in tooltips. */
const SAME_IN_ALL = ["probability_scale", "model"];
/** Lists and objects inside the entries. */
const DETAILS = ["phrases", "top", "facets", "dropped"];
/** Digits of a number that a reader needs. */
const DIGITS = 6;
/** Verdicts whose reasons follow from the scores. */
const JUDGED_BY_SCORES = ["match", "weak", "mismatch"];
/** Characters that are left of a long text. */
const TEXT_LENGTH = 80;

/**
 * A smaller copy of an output of scores. Of a long one first the phrases that are shown are left out, then all
 * details, then the ends of texts and the reasons that say no more than the scores; a note says so.
 * @param {Output} output
 * @param {number} [shortEnough] characters of JSON
 * @returns {Output}
 */
export function shortenScores(output, shortEnough = SHORT_ENOUGH) {
  const slim = copyOf(output, REDUNDANT);
  if (JSON.stringify(slim).length <= shortEnough) return slim;
  const missing = withoutShown(copyOf(slim, SAME_IN_ALL));
  if (JSON.stringify(missing).length <= shortEnough) return noted(missing);
  const bare = copyOf(slim, [...SAME_IN_ALL, ...DETAILS]);
  if (JSON.stringify(bare).length <= shortEnough) return noted(bare);
  return noted({ ...bare, ...(bare.clip_match && { clip_match: bare.clip_match.map(shortest) }) });
}

/**
 * A copy as JSON has it, without some keys, without empty texts, and with fewer digits.
 * @template Value
 * @param {Value} value
 * @param {string[]} [leftOut]
 * @returns {Value}
 */
function copyOf(value, leftOut) {
  if (!leftOut) return JSON.parse(JSON.stringify(value));
  return JSON.parse(
    JSON.stringify(value, (key, one) => {
      if (leftOut.includes(key) || one === "") return undefined;
      return typeof one === "number" && !Number.isInteger(one) ? Number(one.toPrecision(DIGITS)) : one;
    }),
  );
}

/**
 * Only the phrases that are missing or unclear, and the two likeliest labels.
 * @param {Output} output
 * @returns {Output}
 */
function withoutShown(output) {
  const { clip_match: matches, clip_labels: labels } = output;
  return {
    ...output,
    ...(matches && {
      clip_match: matches.map((one) => ({
        ...one,
        phrases: one.phrases?.filter((phrase) => phrase.is_missing || phrase.status === "unclear"),
      })),
    }),
    ...(labels && { clip_labels: labels.map((one) => ({ ...one, top: one.top?.slice(0, 2) })) }),
  };
}

/**
 * @param {MatchEntry} entry
 * @returns {MatchEntry}
 */
function shortest({ reason, ...entry }) {
  const { verdict, text: whole = "" } = entry;
  return {
    ...entry,
    ...(whole.length > TEXT_LENGTH && { text: `${whole.slice(0, TEXT_LENGTH)}…` }),
    ...(!(verdict && JUDGED_BY_SCORES.includes(verdict)) && { reason }),
  };
}

/**
 * @param {Output} output
 * @returns {Output}
 */
function noted(output) {
  return { ...output, clip_notes: [...(output.clip_notes ?? []), text("scores.shortened")] };
}
