// @ts-check
/** Sheets in the nodes that make them, and the viewer that shows them in full size. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { SHEET_NODES, nodesInSelectedSubgraphs, nodesOfWorkflow, nodesOnScreen, notice } from "./lib/front_end.mjs";
import { resultHooks } from "./lib/results.mjs";
import { loadTexts, text } from "./lib/texts.mjs";
import { SheetWidget, openSheetsOf, rememberSheets, showQueued } from "./lib/viewer/sheet_widget.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */
/** @typedef {import("./lib/results.mjs").OutputKey} OutputKey */

/** @type {OutputKey[]} */
const SAVED = ["images", "clip_grid_files", "clip_grid_pictures", "clip_notes"];
/** @type {WeakMap<GraphNode, SheetWidget>} */
const widgets = new WeakMap();

const hooks = resultHooks({
  // names of files alone: the rest is in the sidecars
  savedKeys: Object.fromEntries([...SHEET_NODES].map((nodeClass) => [nodeClass, SAVED])),
  show(node, output) {
    if (!rememberSheets(node, output)) return;
    widgets.get(node)?.show(output);
    void showQueued(node);
  },
});

/** Open the viewer on the selected sheet node, or on the only one: on the screen, else in the whole workflow. */
function openSelected() {
  const isSheetNode = (/** @type {GraphNode} */ node) => SHEET_NODES.has(node.comfyClass);
  const { all, selected } = nodesOnScreen(isSheetNode);
  const places = [selected, nodesInSelectedSubgraphs(isSheetNode), all, nodesOfWorkflow(isSheetNode)];
  const [node, another] = places.find((nodes) => nodes.length) ?? [];
  if (!node) return notice("info", text("viewer.no_node"), text("viewer.no_node_cure"));
  if (another) return notice("info", text("viewer.several_nodes"), text("viewer.several_nodes_cure"));
  return openSheetsOf(node);
}

app.registerExtension({
  ...hooks,
  name: "clip_grid.sheet_viewer",
  init: loadTexts,
  setup: () => loadStyles(),
  commands: [
    {
      id: "ClipGrid.OpenViewer",
      label: "CLIP Grid: Open the sheet viewer",
      menubarLabel: "Open the sheet viewer",
      icon: "pi pi-images",
      function: openSelected,
    },
  ],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: ["ClipGrid.OpenViewer"] }],
  nodeCreated(node) {
    if (SHEET_NODES.has(node.comfyClass)) widgets.set(node, new SheetWidget(node));
    hooks.nodeCreated(node);
  },
  getNodeMenuItems(node) {
    if (!SHEET_NODES.has(node.comfyClass)) return [];
    return [{ content: text("node.menu_open"), callback: () => void openSheetsOf(node) }];
  },
  getSelectionToolboxCommands(item) {
    return SHEET_NODES.has(item.comfyClass) ? ["ClipGrid.OpenViewer"] : [];
  },
});
