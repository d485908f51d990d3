// @ts-check
/** Labels edited by the user: a list of all labels of a sheet, and undo. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { SHEET_NODES, notice, selectedOrOnly } from "./lib/front_end.mjs";
import { undoLabelEdit, whyNotEditable } from "./lib/labels/edits.mjs";
import { openLabelList } from "./lib/labels/label_list.mjs";
import { loadTexts, menuLabel, text } from "./lib/texts.mjs";
import { sheetsOfNode } from "./lib/viewer/sheet_widget.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */

const COMMANDS = [
  {
    id: "ClipGrid.EditLabels",
    label: "Edit the labels of a sheet",
    icon: "pi pi-pencil",
    run: () => editLabels(selectedOrOnly(isSheetNode)),
  },
  { id: "ClipGrid.UndoLabelEdit", label: "Undo the last label edit", icon: "pi pi-undo", run: () => undoLabelEdit() },
];

app.registerExtension({
  name: "clip_grid.label_editing",
  init: loadTexts,
  setup: () => loadStyles(),
  commands: COMMANDS.map(({ id, label, icon, run }) => ({
    id,
    label: `CLIP Grid: ${label}`,
    icon,
    menubarLabel: label,
    function: run,
  })),
  keybindings: [{ commandId: "ClipGrid.EditLabels", combo: { key: "l", shift: true } }],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: COMMANDS.map(({ id }) => id) }],

  getNodeMenuItems(node) {
    if (!isSheetNode(node)) return [];
    return [
      { content: text("node.menu_edit"), callback: () => void editLabels(node) },
      { content: menuLabel("Undo the last label edit"), callback: () => void undoLabelEdit(node) },
    ];
  },

  getSelectionToolboxCommands(item) {
    return isSheetNode(item) ? ["ClipGrid.EditLabels"] : [];
  },
});

/** @param {GraphNode | null} node */
async function editLabels(node) {
  if (!node) return notice("info", text("edit.no_node"), text("edit.no_node_cure"));
  const [sheet] = await sheetsOfNode(node);
  if (!sheet) return notice("info", text("edit.no_sheet", { node: node.title }), text("edit.no_sheet_cure"));
  const problem = whyNotEditable(node, sheet.report);
  if (problem) return notice("warn", problem.summary, problem.detail);
  return openLabelList(node, sheet);
}

/** @param {GraphNode} node */
function isSheetNode(node) {
  return SHEET_NODES.has(node.comfyClass);
}
