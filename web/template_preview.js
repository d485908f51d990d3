// @ts-check
/** A drawing of the layout in the nodes that have a template, which follows their widgets. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { loadStyles } from "./lib/dom.mjs";
import { askPlan, forgetPlans } from "./lib/preview/ask.mjs";
import { Panel } from "./lib/preview/panel.mjs";
import { planRequest } from "./lib/preview/wishes.mjs";

const TEMPLATE_NODE = "ClipGrid_GridTemplate";
const NODES = new Set([TEMPLATE_NODE, "ClipGrid_LabeledGridExporter", "ClipGrid_BatchLabeledGridExporter"]);
const PROPERTY = "clip_grid_preview";
const START = { open: true, count: 12, width: 512, height: 512 };
/** Milliseconds without a change before the server is asked. */
const PAUSE = 250;
/** Pictures that the server plans for. */
const MOST_PICTURES = 2000;
/** Heights in the node, in its own pixels. */
const HEIGHT = { open: 230, folded: 30 };

/** @type {Map<any, Panel>} the previews on the page, by node */
const panels = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

app.registerExtension({
  name: "clip_grid.template_preview",

  setup() {
    loadStyles();
    // a server that was started anew may have other templates and fonts
    api.addEventListener("reconnected", () => {
      forgetPlans();
      refreshSoon();
    });
  },

  /** @param {any} node */
  nodeCreated(node) {
    if (NODES.has(node.comfyClass)) addPreview(node);
  },

  /** @param {any} node */
  loadedGraphNode(node) {
    if (panels.has(node)) restore(node);
  },
});

/** @param {any} node */
function addPreview(node) {
  const state = { ...START };
  const panel = new Panel(state, { changed: () => remember(node, state), folded: () => fold(node, state) });
  const height = () => (panel.state.open ? HEIGHT.open : HEIGHT.folded);
  const widget = node.addDOMWidget("layout_preview", "clip_grid_layout", panel.element, {
    serialize: false,
    hideOnZoom: true,
    getMinHeight: height,
    getMaxHeight: () => (panel.state.open ? 4 * HEIGHT.open : HEIGHT.folded),
    getValue: () => "",
    setValue: () => {},
  });
  widget.serialize = false;
  panels.set(node, panel);
  follow(node);
  refreshSoon();
}

/**
 * Whatever changes in the node asks for a new layout.
 * @param {any} node
 */
function follow(node) {
  for (const widget of node.widgets) chain(widget, "callback", refreshSoon);
  chain(node, "onConnectionsChange", refreshSoon);
  chain(node, "onWidgetChanged", refreshSoon);
  chain(node, "onConfigure", () => restore(node));
  chain(node, "onRemoved", () => panels.delete(node));
  chain(node, "onExecuted", (output) => learn(node, output));
}

/**
 * A run may have saved a template, or tells how many pictures there are.
 * @param {any} node
 * @param {any} output
 */
function learn(node, output) {
  if (node.comfyClass !== TEMPLATE_NODE) return countPictures(node, output);
  forgetPlans();
  return refreshSoon();
}

/**
 * The preview shows as many pictures as the last sheet had.
 * @param {any} node
 * @param {any} output
 */
function countPictures(node, output) {
  const told = output?.clip_grid?.[0];
  const count = (told?.grids?.[0] ?? told)?.images_found;
  const panel = panels.get(node);
  if (!panel || !(count >= 1 && count <= MOST_PICTURES) || panel.state.count === count) return;
  panel.state.count = count;
  panel.reset();
  remember(node, panel.state);
}

/**
 * The state that was saved with the workflow.
 * @param {any} node
 */
function restore(node) {
  const panel = panels.get(node);
  const saved = node.properties?.[PROPERTY];
  if (!panel) return;
  for (const name of /** @type {const} */ (["count", "width", "height"])) {
    if (Number.isInteger(saved?.[name]) && saved[name] > 0) panel.state[name] = saved[name];
  }
  if (typeof saved?.open === "boolean") panel.state.open = saved.open;
  panel.reset();
  refreshSoon();
}

/**
 * @param {any} node
 * @param {import("./lib/preview/panel.mjs").State} state
 */
function remember(node, state) {
  node.properties[PROPERTY] = { ...state };
  refreshSoon();
}

/**
 * Keep the state, and give the room to the node or take it.
 * @param {any} node
 * @param {import("./lib/preview/panel.mjs").State} state
 */
function fold(node, state) {
  remember(node, state);
  const more = (HEIGHT.open - HEIGHT.folded) * (state.open ? 1 : -1);
  node.setSize([node.size[0], Math.max(node.size[1] + more, node.computeSize()[1])]);
  node.graph?.setDirtyCanvas?.(true, true);
}

/** A node may be linked to another, so that all previews may change; those that do not ask nobody. */
function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
}

function refresh() {
  for (const [node, panel] of panels) {
    if (!node.graph) continue;
    const { count, width, height } = panel.state;
    const { body, unknown } = planRequest(node, { count, width, height });
    askPlan(panel, body, (answer) => panel.show(answer, unknown));
  }
}

/**
 * Call what is there, then ours.
 * @param {any} owner
 * @param {string} name
 * @param {(given: any) => void} ours
 */
function chain(owner, name, ours) {
  const theirs = owner[name];
  owner[name] = function (/** @type {any[]} */ ...given) {
    const answer = theirs?.apply(this, given);
    ours(given[0]);
    return answer;
  };
}
