// @ts-check
/** Scores in the nodes that match, label and rank pictures: a bar for each, with its verdict, scale and threshold. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { resultHooks, shortenScores } from "./lib/results.mjs";
import { decimals } from "./lib/scores/numbers.mjs";
import { SCORES, resultOf } from "./lib/scores/rows.mjs";
import { ScoreWidget } from "./lib/scores/score_widget.mjs";
import { loadTexts } from "./lib/texts.mjs";

/** @type {WeakMap<import("./lib/front_end.mjs").GraphNode, ScoreWidget>} */
const widgets = new WeakMap();

/** @type {Record<string, import("./lib/results.mjs").OutputKey[]>} */
const savedKeys = Object.fromEntries(
  Object.entries(SCORES).map(([nodeClass, key]) => [nodeClass, [key, "clip_notes"]]),
);

const hooks = resultHooks({
  savedKeys,
  show: (node, output, cut) => widgets.get(node)?.show(() => resultOf(output, decimals(), cut)),
  shorten: shortenScores,
});

app.registerExtension({
  ...hooks,
  name: "clip_grid.score_bars",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    if (node.comfyClass in savedKeys) widgets.set(node, new ScoreWidget(node));
    hooks.nodeCreated(node);
  },
});
