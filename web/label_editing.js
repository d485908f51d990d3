// @ts-check
/** Labels corrected by the user: a list of all labels of a sheet, and the way back. */
import { app } from "../../scripts/app.js";
import { loadStyles } from "./lib/dom.mjs";
import { undoLabelEdit } from "./lib/edits.mjs";
import { openLabelList } from "./lib/labels/list.mjs";
import { refusal } from "./lib/labels/refusals.mjs";
import { SHEET_NODES, wantedNode } from "./lib/node_commands.mjs";
import { notice } from "./lib/notices.mjs";
import { sheetsOfNode } from "./lib/viewer/of_node.mjs";

const COMMANDS = [
  { id: "ClipGrid.EditLabels", label: "Edit the labels of a sheet", icon: "pi pi-pencil", does: () => editLabels(wantedNode(isSheetNode)) },
  { id: "ClipGrid.UndoLabelEdit", label: "Take back the last corrected label", icon: "pi pi-undo", does: () => undoLabelEdit() },
];

app.registerExtension({
  name: "clip_grid.label_editing",
  setup: loadStyles,
  commands: COMMANDS.map(({ id, label, icon, does }) => ({ id, label: `CLIP Grid: ${label}`, icon, menubarLabel: label, function: does })),
  keybindings: [{ commandId: "ClipGrid.EditLabels", combo: { key: "l", shift: true } }],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: COMMANDS.map(({ id }) => id) }],

  /** @param {any} node */
  getNodeMenuItems(node) {
    if (!isSheetNode(node)) return [];
    return [
      { content: "Edit labels…", callback: () => void editLabels(node) },
      { content: "Take back the last corrected label", callback: () => void undoLabelEdit(node) },
    ];
  },

  /** @param {any} item */
  getSelectionToolboxCommands(item) {
    return isSheetNode(item) ? ["ClipGrid.EditLabels"] : [];
  },
});

/** @param {any} node */
async function editLabels(node) {
  if (!node) return notice("info", "No sheet is selected", "Select a grid node that has run, then try again.");
  const sheets = await sheetsOfNode(node);
  if (!sheets.length) return notice("info", `${node.title} has no sheet yet`, "Queue the workflow, then correct its labels.");
  const problem = refusal(node, sheets[0].report);
  if (problem) return notice("warn", problem.summary, problem.detail);
  return openLabelList(node, sheets[0]);
}

/** @param {any} node */
function isSheetNode(node) {
  return SHEET_NODES.has(node?.comfyClass);
}
