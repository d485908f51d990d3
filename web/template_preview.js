// @ts-check
/** A drawing of the layout in the nodes that have a template, which follows their widgets. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { loadStyles } from "./lib/dom.mjs";
import { SHEET_NODES, TEMPLATE_NODE, callAfter, growNode, placeWidget } from "./lib/front_end.mjs";
import { LIMITS, LayoutPanel } from "./lib/layout/panel.mjs";
import { forgetPlans, planRequest, requestPlan } from "./lib/layout/plans.mjs";
import { loadTexts } from "./lib/texts.mjs";
import { reportsOf } from "./lib/viewer/sheets.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./lib/layout/panel.mjs").State} State */

/** The property of a node that holds the state. */
const PROPERTY = "clip_grid_preview";
/** @type {Omit<State, "open">} */
const START = { count: 12, width: 512, height: 512 };
/** Milliseconds without a change before the server is asked. */
const PAUSE = 250;
/** Heights in the node, in its own pixels. */
const HEIGHT = { open: 230, folded: 30 };

/** @type {Map<GraphNode, LayoutPanel>} the previews on the page */
const panels = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

app.registerExtension({
  name: "clip_grid.template_preview",
  init: loadTexts,

  setup() {
    loadStyles();
    // a server that was restarted may have other templates and fonts
    api.addEventListener("reconnected", () => {
      forgetPlans();
      refreshSoon();
    });
  },

  nodeCreated(node) {
    if (node.comfyClass === TEMPLATE_NODE || SHEET_NODES.has(node.comfyClass)) addPreview(node);
  },

  loadedGraphNode(node) {
    if (panels.has(node)) restore(node);
  },
});

/** @param {GraphNode} node */
function addPreview(node) {
  // a template node has nothing else to show; below a sheet node's widgets stands its sheet
  const state = { open: node.comfyClass === TEMPLATE_NODE, ...START };
  const panel = new LayoutPanel(state, { onChange: () => save(node, state), onFold: () => fold(node, state) });
  const widget = node.addDOMWidget("layout_preview", "clip_grid_layout", panel.element, {
    serialize: false,
    hideOnZoom: true,
    getMinHeight: () => (state.open ? HEIGHT.open : HEIGHT.folded),
    getMaxHeight: () => (state.open ? 4 * HEIGHT.open : HEIGHT.folded),
    getValue: () => "",
    setValue: () => {},
  });
  widget.serialize = false;
  placeWidget(node, widget);
  growNode(node);
  panels.set(node, panel);
  follow(node);
  refreshSoon();
}

/**
 * Ask for a new layout whenever something changes in the node.
 * @param {GraphNode} node
 */
function follow(node) {
  for (const widget of node.widgets ?? []) callAfter(widget, "callback", refreshSoon);
  callAfter(node, "onConnectionsChange", refreshSoon);
  callAfter(node, "onWidgetChanged", refreshSoon);
  callAfter(node, "onConfigure", () => restore(node));
  callAfter(node, "onRemoved", () => panels.delete(node));
  callAfter(node, "onExecuted", (output) => {
    if (node.comfyClass !== TEMPLATE_NODE) return showLast(node, output ?? {});
    // the run may have saved a template
    forgetPlans();
    return refreshSoon();
  });
}

/**
 * Show as many pictures as the last sheet had, of the size that they have on it.
 * @param {GraphNode} node
 * @param {import("./lib/results.mjs").Output} output
 */
function showLast(node, output) {
  const [{ cells = [] } = {}] = reportsOf(output);
  const panel = panels.get(node);
  const [, , width = 0, height = 0] = cells[0]?.image_box ?? [];
  const last = { count: cells.length, width, height };
  const names = /** @type {const} */ (["count", "width", "height"]);
  if (!panel || names.some((name) => !(last[name] >= 1 && last[name] <= LIMITS[name]))) return;
  if (names.every((name) => panel.state[name] === last[name])) return;
  Object.assign(panel.state, last);
  panel.reset();
  save(node, panel.state);
}

/**
 * Show the state that was saved with the workflow.
 * @param {GraphNode} node
 */
function restore(node) {
  const panel = panels.get(node);
  const saved = /** @type {Record<string, unknown> | undefined} */ (node.properties?.[PROPERTY]);
  if (!panel) return;
  for (const name of /** @type {const} */ (["count", "width", "height"])) {
    const value = saved?.[name];
    if (typeof value === "number" && Number.isInteger(value) && value > 0) panel.state[name] = value;
  }
  if (typeof saved?.open === "boolean") panel.state.open = saved.open;
  panel.reset();
  refreshSoon();
}

/**
 * Save the state with the workflow.
 * @param {GraphNode} node
 * @param {State} state
 */
function save(node, state) {
  node.properties[PROPERTY] = { ...state };
  refreshSoon();
}

/**
 * Make the node higher or lower, for its preview was unfolded or folded.
 * @param {GraphNode} node
 * @param {State} state
 */
function fold(node, state) {
  save(node, state);
  const more = (HEIGHT.open - HEIGHT.folded) * (state.open ? 1 : -1);
  node.setSize([node.size[0], Math.max(node.size[1] + more, node.computeSize()[1])]);
  node.graph?.setDirtyCanvas?.(true, true);
}

/** Ask for all layouts: a node may be linked to another one. Those that did not change are known. */
function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
}

function refresh() {
  for (const [node, panel] of panels) {
    if (!node.graph) continue;
    const { count, width, height } = panel.state;
    const { body, unknown } = planRequest(node, { count, width, height });
    requestPlan(panel, body, (answer) => panel.show(answer, unknown));
  }
}
