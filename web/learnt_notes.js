// @ts-check
/** What Learn From Folder, Load Head and CLIP LoRA tell: how well a head does, its classes, what a LoRA changes. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { callAfter, widgetOf } from "./lib/front_end.mjs";
import { NodeLines, linesOf } from "./lib/node_lines.mjs";
import { forgetResult, resultHooks } from "./lib/results.mjs";
import { loadTexts } from "./lib/texts.mjs";

/** For each node class the input with whose value its text is outdated. */
const INPUTS = /** @type {const} */ ({
  ClipGrid_LearnFromFolder: "data",
  ClipGrid_LoadHead: "head",
  ClipGrid_CLIPLoRA: "lora",
});
/** The verdict of a training that is worth using. */
const BETTER = "better";

/** @type {WeakMap<import("./lib/front_end.mjs").GraphNode, NodeLines>} */
const notes = new WeakMap();

const hooks = resultHooks({
  savedKeys: Object.fromEntries(Object.keys(INPUTS).map((nodeClass) => [nodeClass, ["text", "clip_head"]])),
  show: (node, output) => {
    const verdict = output.clip_head?.[0]?.verdict;
    notes.get(node)?.show(linesOf(output), Boolean(verdict && verdict !== BETTER));
  },
  // the report itself is long, and lies in the folder of the run
  shorten: ({ text, clip_head: reports }) => ({
    text,
    ...(reports && { clip_head: reports.map(({ verdict }) => ({ verdict })) }),
  }),
});

app.registerExtension({
  ...hooks,
  name: "clip_grid.learnt_notes",
  init: loadTexts,
  setup: () => loadStyles(),
  nodeCreated(node) {
    if (!(node.comfyClass in INPUTS)) return;
    const shown = new NodeLines(node);
    notes.set(node, shown);
    hooks.nodeCreated(node);
    const input = widgetOf(node, INPUTS[/** @type {keyof typeof INPUTS} */ (node.comfyClass)]);
    if (!input) return;
    callAfter(input, "callback", () => {
      forgetResult(node);
      shown.show([]);
    });
  },
});
