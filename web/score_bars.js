// @ts-check
/** Scores in the nodes that match, label and rank pictures: a bar for each, with its verdict, scale and threshold. */
import { app } from "../../scripts/app.js";
import { NOTES, SCORES, resultOf } from "./lib/bars.mjs";
import { compact } from "./lib/bars/compact.mjs";
import { ScoreWidget } from "./lib/bars/score_widget.mjs";
import { DECIMALS, decimalsOf } from "./lib/bars/numbers.mjs";
import { loadStyles } from "./lib/dom.mjs";
import { resultHooks } from "./lib/results.mjs";
import { setting } from "./lib/setting.mjs";

/** @type {WeakMap<object, ScoreWidget>} */
const widgets = new WeakMap();

/** @type {Record<string, string[]>} */
const classes = Object.fromEntries(Object.entries(SCORES).map(([id, key]) => [id, [key, NOTES]]));

/**
 * @param {any} node
 * @param {Record<string, any[]>} output
 * @param {{cut: Record<string, number>}} shown
 */
function show(node, output, { cut }) {
  widgets.get(node)?.show(() => resultOf(output, decimalsOf(setting("ClipGrid.Decimals", DECIMALS)), cut));
}

const hooks = resultHooks({ classes, show, compact });

app.registerExtension({
  ...hooks,
  name: "clip_grid.score_bars",
  setup: loadStyles,
  nodeCreated(/** @type {any} */ node) {
    if (classes[node.comfyClass]) widgets.set(node, new ScoreWidget(node));
    hooks.nodeCreated(node);
  },
});
