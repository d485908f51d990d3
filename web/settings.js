// @ts-check
/** What the user can set, the commands with their keys and menu entries, and the badge of the about page. */
import { app } from "../../scripts/app.js";
import { DECIMALS } from "./lib/bars/numbers.mjs";
import { DECIMALS_CHANGED } from "./lib/events.mjs";
import { SCORE_NODES, copyReport, copyScores, hasResult, wantedNode } from "./lib/node_commands.mjs";

/** Where ComfyUI-Manager has it from. */
const HOME = "https://registry.comfy.org/nodes/clip-grid";

/** @param {any} node */
const copyTsv = (node) => copyScores(node, "tsv");
/** @param {any} node */
const copyCsv = (node) => copyScores(node, "csv");

const COMMANDS = [
  { id: "ClipGrid.CopyScores", label: "Copy scores for a spreadsheet", icon: "pi pi-table", does: copyTsv },
  { id: "ClipGrid.CopyScoresCsv", label: "Copy scores as CSV", icon: "pi pi-file", does: copyCsv },
  { id: "ClipGrid.CopyReport", label: "Copy report as JSON", icon: "pi pi-copy", does: copyReport },
];

const SETTINGS = [
  {
    id: "ClipGrid.Decimals", category: ["CLIP Grid", "Scores", "Decimals"], name: "Digits after the point of scores",
    type: "slider", attrs: { min: 0, max: 6, step: 1 }, defaultValue: DECIMALS,
    // ComfyUI calls this just before it stores the number
    onChange: () => queueMicrotask(() => window.dispatchEvent(new Event(DECIMALS_CHANGED))),
  },
  {
    id: "ClipGrid.KeepResults", category: ["CLIP Grid", "Results", "KeepResults"], name: "Keep the results of nodes with the workflow",
    tooltip: "They are there again when the workflow is opened, and they are saved with it: at most 64 KB for each node",
    type: "boolean", defaultValue: true,
  },
  {
    id: "ClipGrid.ErrorNotices", category: ["CLIP Grid", "Results", "ErrorNotices"], name: "Tell in a notice why a node of CLIP Grid stopped",
    type: "boolean", defaultValue: true,
  },
  {
    id: "ClipGrid.ShowSheetInNode", category: ["CLIP Grid", "Sheets", "ShowSheetInNode"], name: "Show the sheet in its node",
    type: "boolean", defaultValue: true,
  },
  {
    id: "ClipGrid.ViewerBackground", category: ["CLIP Grid", "Sheets", "ViewerBackground"], name: "Background of the sheet viewer",
    type: "combo", defaultValue: "theme",
    options: [
      { text: "As ComfyUI", value: "theme" },
      { text: "Black", value: "black" },
      { text: "Grey", value: "grey" },
      { text: "White", value: "white" },
      { text: "Checkerboard", value: "checker" },
    ],
  },
];

app.registerExtension({
  name: "clip_grid.settings",
  settings: SETTINGS,
  commands: COMMANDS.map(({ id, label, icon, does }) => (
    { id, label: `CLIP Grid: ${label}`, icon, menubarLabel: label, function: () => does(wantedNode(hasResult)) }
  )),
  // letters with Shift: ComfyUI has none of these, browsers neither, and in text fields they stay letters;
  // the viewer's command is in sheet_viewer.js
  keybindings: [
    { commandId: "ClipGrid.OpenViewer", combo: { key: "g", shift: true } },
    { commandId: "ClipGrid.CopyScores", combo: { key: "c", shift: true } },
    { commandId: "ClipGrid.CopyReport", combo: { key: "j", shift: true } },
  ],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: COMMANDS.map(({ id }) => id) }],
  aboutPageBadges: [{ label: "CLIP Grid", url: HOME, icon: "pi pi-th-large" }],
  getNodeMenuItems(/** @type {any} */ node) {
    return hasResult(node) ? COMMANDS.map(({ label, does }) => ({ content: label, callback: () => void does(node) })) : [];
  },
  getSelectionToolboxCommands(/** @type {any} */ item) {
    return SCORE_NODES.has(item?.comfyClass) ? ["ClipGrid.CopyScores"] : [];
  },
});
