// @ts-check
/** Sheets in the nodes that make them, and the viewer that shows them in full size. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { notice } from "./lib/notices.mjs";
import { resultHooks } from "./lib/results.mjs";
import { NodeWidget } from "./lib/viewer/node_widget.mjs";
import { openSheetsOf, rememberSheets } from "./lib/viewer/of_node.mjs";

/** What is kept with the workflow: the names of the files; the rest is in the sidecars. */
const KEPT = ["images", "clip_grid_files"];
/** @type {Record<string, string[]>} */
const classes = { ClipGrid_LabeledGridExporter: KEPT, ClipGrid_BatchLabeledGridExporter: KEPT };

/** @type {WeakMap<object, NodeWidget>} */
const widgets = new WeakMap();

const hooks = resultHooks({
  classes,
  show(node, output) {
    if (rememberSheets(node, output)) widgets.get(node)?.show(output);
  },
});

/** Opens the viewer on the selected sheet node, or on the only one. */
function openSelected() {
  const graph = app.canvas.graph ?? app.rootGraph ?? app.graph;
  const sheetNodes = graph.nodes.filter((/** @type {any} */ node) => classes[node.comfyClass]);
  const selected = sheetNodes.filter((/** @type {any} */ node) => app.canvas.selectedItems.has(node));
  const [node, another] = selected.length ? selected : sheetNodes;
  if (!node) return notice("info", "There is no node here that makes sheets", "Add a Labeled Grid Exporter and queue the workflow.");
  if (another) return notice("info", "Several nodes make sheets", "Select one of them.");
  return openSheetsOf(node);
}

app.registerExtension({
  ...hooks,
  name: "clip_grid.sheet_viewer",
  setup: loadStyles,
  commands: [{ id: "ClipGrid.OpenViewer", label: "CLIP Grid: Open the sheet viewer", menubarLabel: "Open the sheet viewer", icon: "pi pi-images", function: openSelected }],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: ["ClipGrid.OpenViewer"] }],
  nodeCreated(/** @type {any} */ node) {
    if (classes[node.comfyClass]) widgets.set(node, new NodeWidget(node));
    hooks.nodeCreated(node);
  },
  getNodeMenuItems(/** @type {any} */ node) {
    if (!classes[node.comfyClass]) return [];
    return [{ content: "Open in the sheet viewer", callback: () => void openSheetsOf(node) }];
  },
  getSelectionToolboxCommands(/** @type {any} */ item) {
    return classes[item.comfyClass] ? ["ClipGrid.OpenViewer"] : [];
  },
});
