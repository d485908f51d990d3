// @ts-check
/** What a node told after its last run: shown then, after a change of tabs, and after a reload. */
import { app } from "../../../scripts/app.js";
import { cutToFit } from "./kept.mjs";
import { rememberOutput } from "./last_output.mjs";
import { setting } from "./setting.mjs";

/**
 * @typedef {Record<string, any[]>} Output what /history has for a node
 * @typedef {{kept: boolean, cut: Record<string, number>}} Shown whether it is the copy in the workflow, and how long lists were that had to be cut
 */

/** The property of a node that holds the copy. */
const PROPERTY = "clip_grid_result";

/**
 * The hooks of an extension that shows results: spread them into registerExtension.
 * @param {object} given
 * @param {Record<string, string[]>} given.classes for each node id, the keys of its output that are kept with the workflow
 * @param {(node: any, output: Output, shown: Shown) => void} given.show may be called several times with the same output
 * @param {(output: Output) => Output} [given.compact] makes a smaller copy for the workflow
 */
export function resultHooks({ classes, show: showOutput, compact = (output) => output }) {
  /** @type {typeof showOutput} */
  const show = (node, output, shown) => {
    rememberOutput(node, output);
    showOutput(node, output, shown);
  };
  return {
    /** @param {any} node */
    nodeCreated(node) {
      const keys = classes[node.comfyClass];
      if (!keys) return;
      chain(node, "onExecuted", (output) => {
        // ComfyUI also calls the node of the same id of another tab's workflow
        if (!keys.some((key) => output?.[key])) return;
        keep(node, compact(output), keys);
        show(node, output, { kept: false, cut: {} });
      });
      chain(node, "onConfigure", () => showKept(node, show));
    },

    /** @param {Record<string, Output>} outputs */
    onNodeOutputsUpdated(outputs) {
      for (const [locator, output] of Object.entries(outputs ?? {})) {
        const node = findNode(locator);
        const keys = classes[node?.comfyClass];
        if (keys?.some((key) => output?.[key])) show(node, output, { kept: false, cut: {} });
      }
    },
  };
}

/**
 * The node that an output is of: its id, after the id of its subgraph if it is in one.
 * @param {string} locator
 */
function findNode(locator) {
  const root = app.rootGraph ?? app.graph;
  const end = locator.lastIndexOf(":");
  const graph = end < 0 ? root : root?.subgraphs?.get(locator.slice(0, end));
  return graph?.getNodeById(locator.slice(end + 1));
}

/**
 * @param {any} node
 * @param {Output} output
 * @param {string[]} keys
 */
function keep(node, output, keys) {
  if (!setting("ClipGrid.KeepResults", true)) {
    delete node.properties[PROPERTY];
    return;
  }
  node.properties[PROPERTY] = cutToFit(output, keys);
  captureChange();
}

/**
 * @param {any} node
 * @param {(node: any, output: Output, shown: Shown) => void} show
 */
function showKept(node, show) {
  const kept = node.properties?.[PROPERTY];
  if (kept?.output) show(node, kept.output, { kept: true, cut: kept.cut ?? {} });
}

/** Lets ComfyUI save the copy: it looks for changes after clicks and keys, but a run ends without one. */
function captureChange() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  // checkState is the name before front end 1.40
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/**
 * Call what is there, then ours.
 * @param {any} node
 * @param {string} name
 * @param {(given: any) => void} ours
 */
function chain(node, name, ours) {
  const theirs = node[name];
  node[name] = function (/** @type {any[]} */ ...given) {
    const answer = theirs?.apply(this, given);
    ours(given[0]);
    return answer;
  };
}
