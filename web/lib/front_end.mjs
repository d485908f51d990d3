// @ts-check
/** What the extensions use of ComfyUI's front end: settings, notices, nodes and their hooks. */
import { app } from "../../../scripts/app.js";

/** @typedef {import("../../../scripts/app.js").GraphNode} GraphNode */
/** @typedef {import("../../../scripts/app.js").Widget} Widget */
/** @typedef {"success" | "info" | "warn" | "error"} Severity */

export const TEMPLATE_NODE = "ClipGrid_GridTemplate";
export const BATCH_NODE = "ClipGrid_BatchLabeledGridExporter";
export const LOADER_NODE = "ClipGrid_CLIPModelLoader";
export const ADAPTER_LOADER_NODE = "ClipGrid_IPAdapterLoader";
export const EMBEDS_NODE = "ClipGrid_IPAdapterEmbeds";
export const APPLY_NODE = "ClipGrid_IPAdapterApply";
export const REFERENCE_NODE = "ClipGrid_IPAdapterReference";
export const SHEET_NODES = new Set(["ClipGrid_LabeledGridExporter", BATCH_NODE]);
export const SCORE_NODES = new Set(["ClipGrid_CLIPMatchScore", "ClipGrid_CLIPLabel", "ClipGrid_RankImages"]);

/** Event of window: the user has chosen another number of decimals. */
export const DECIMALS_CHANGED = "clip_grid.decimals_changed";

/** Milliseconds that a notice stays. */
const NOTICE_TIME = { success: 4000, info: 5000, warn: 9000, error: 12000 };

/**
 * A value of ComfyUI's settings page, or the fallback where it is not set.
 * @template {string | number | boolean} T
 * @param {string} id
 * @param {T} fallback
 * @returns {T}
 */
export function setting(id, fallback) {
  try {
    return /** @type {T | undefined} */ (app.extensionManager?.setting.get(id)) ?? fallback;
  } catch {
    // some front ends throw for an id that is not registered, others return undefined
    return fallback;
  }
}

/**
 * Show a short message in the corner of the page.
 * @param {Severity} severity
 * @param {string} summary
 * @param {string} [detail] what to do
 */
export function notice(severity, summary, detail = "") {
  app.extensionManager?.toast?.add({ severity, summary, detail, life: NOTICE_TIME[severity] });
}

/** The graph of the whole workflow. */
export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/**
 * The nodes of the graph on the screen, and which of them are selected.
 * @param {(node: GraphNode) => boolean} isWanted
 * @returns {{all: GraphNode[], selected: GraphNode[]}}
 */
export function nodesOnScreen(isWanted) {
  const all = (app.canvas?.graph ?? rootGraph())?.nodes.filter(isWanted) ?? [];
  return { all, selected: all.filter((node) => app.canvas?.selectedItems.has(node)) };
}

/**
 * The nodes in the subgraphs that are selected, and in theirs.
 * @param {(node: GraphNode) => boolean} isWanted
 * @returns {GraphNode[]}
 */
export function nodesInSelectedSubgraphs(isWanted) {
  return nodesOnScreen((node) => Boolean(node.subgraph)).selected.flatMap(({ subgraph }) =>
    nodesIn(subgraph, isWanted),
  );
}

/**
 * The nodes of the whole workflow, those in subgraphs too.
 * @param {(node: GraphNode) => boolean} isWanted
 * @returns {GraphNode[]}
 */
export function nodesOfWorkflow(isWanted) {
  return [...new Set(nodesIn(rootGraph(), isWanted))];
}

/**
 * @param {import("../../../scripts/app.js").Graph | null | undefined} graph
 * @param {(node: GraphNode) => boolean} isWanted
 * @returns {GraphNode[]}
 */
function nodesIn(graph, isWanted) {
  return (graph?.nodes ?? []).flatMap((node) =>
    node.subgraph ? nodesIn(node.subgraph, isWanted) : isWanted(node) ? [node] : [],
  );
}

/**
 * The first selected node, or the only one.
 * @param {(node: GraphNode) => boolean} isWanted
 * @returns {GraphNode | null}
 */
export function selectedOrOnly(isWanted) {
  const { all, selected } = nodesOnScreen(isWanted);
  return selected[0] ?? (all.length === 1 ? all[0] : null);
}

/**
 * The node of an id in a running prompt; inside subgraphs the ids of the nodes around it stand before it.
 * @param {string | number} id
 * @returns {GraphNode | null}
 */
export function nodeOfExecution(id) {
  let graph = rootGraph();
  let node = /** @type {GraphNode | null} */ (null);
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part) ?? null;
    graph = node?.subgraph;
  }
  return node;
}

/**
 * @param {GraphNode} node
 * @param {string} name
 */
export function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** Our own elements in a node, from top to bottom; extensions add them in any order. */
const ELEMENTS = ["clip_grid_advanced", "clip_grid_curve", "layout_preview", "clip_grid_lines", "clip_grid_sheet"];

/**
 * Move an element of ours to its place below the widgets of the node.
 * @param {GraphNode} node
 * @param {Widget} widget
 */
export function placeWidget({ widgets = [] }, widget) {
  const rank = ELEMENTS.indexOf(widget.name);
  const next = widgets.findIndex((one) => ELEMENTS.indexOf(one.name) > rank);
  if (next < 0) return;
  widgets.splice(widgets.indexOf(widget), 1);
  widgets.splice(next, 0, widget);
}

/**
 * Make a node larger where its widgets need it; one that the user has made larger stays so.
 * @param {GraphNode} node
 */
export function growNode(node) {
  const [width, height] = node.computeSize();
  if (node.size[1] < height) node.setSize([Math.max(node.size[0], width), height]);
  node.graph?.setDirtyCanvas?.(true, true);
}

/** Whether the page shows "Nodes 2.0". */
export function hasVueNodes() {
  return Boolean(window.LiteGraph?.vueNodesMode);
}

/**
 * Whether an input gets its value from another node.
 * @param {GraphNode} node
 * @param {string} name
 * @returns {boolean}
 */
export function isLinked(node, name) {
  const slot = node.inputs?.findIndex((input) => input.name === name) ?? -1;
  return slot >= 0 && node.isInputConnected(slot);
}

/**
 * Call a function after each call of a method, which stays as it is.
 * @template {object} Owner
 * @template {keyof Owner} Name
 * @param {Owner} owner
 * @param {Name} name a method that the owner has or may get
 * @param {(...args: Parameters<Extract<Owner[Name], (...args: never[]) => unknown>>) => void} after
 */
export function callAfter(owner, name, after) {
  const methods = /** @type {Record<keyof Owner, ((...args: unknown[]) => unknown) | null | undefined>} */ (owner);
  const original = methods[name];
  methods[name] = function (...args) {
    const result = original?.apply(this, args);
    /** @type {(...args: unknown[]) => void} */ (after)(...args);
    return result;
  };
}
