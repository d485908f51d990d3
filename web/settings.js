// @ts-check
/** The settings, the commands that copy results with their keys and menu entries, and the badge of the about page. */
import { app } from "../../scripts/app.js";
import { copyReport, copyScores, hasResult } from "./lib/copy_result.mjs";
import { DECIMALS_CHANGED, SCORE_NODES, selectedOrOnly } from "./lib/front_end.mjs";
import { DEFAULT_DECIMALS } from "./lib/scores/numbers.mjs";
import { loadTexts, menuLabel } from "./lib/texts.mjs";

/** @typedef {import("./lib/front_end.mjs").GraphNode} GraphNode */

/** The pack's page in the registry, from which ComfyUI-Manager installs it. */
const HOME = "https://registry.comfy.org/nodes/clip-grid";

const COMMANDS = [
  {
    id: "ClipGrid.CopyScores",
    label: "Copy scores for a spreadsheet",
    icon: "pi pi-table",
    run: (/** @type {GraphNode | null} */ node) => copyScores(node, "tsv"),
  },
  {
    id: "ClipGrid.CopyScoresCsv",
    label: "Copy scores as CSV",
    icon: "pi pi-file",
    run: (/** @type {GraphNode | null} */ node) => copyScores(node, "csv"),
  },
  { id: "ClipGrid.CopyReport", label: "Copy report as JSON", icon: "pi pi-copy", run: copyReport },
];

app.registerExtension({
  name: "clip_grid.settings",
  init: loadTexts,
  settings: [
    {
      id: "ClipGrid.Decimals",
      category: ["CLIP Grid", "Scores", "Decimals"],
      name: "Digits after the point of scores",
      type: "slider",
      attrs: { min: 0, max: 6, step: 1 },
      defaultValue: DEFAULT_DECIMALS,
      // ComfyUI calls this just before it stores the number
      onChange: () => queueMicrotask(() => window.dispatchEvent(new Event(DECIMALS_CHANGED))),
    },
    {
      id: "ClipGrid.KeepResults",
      category: ["CLIP Grid", "Results", "KeepResults"],
      name: "Keep the results of nodes with the workflow",
      tooltip:
        "They are there again when the workflow is opened, and they are saved with it: at most 64 KB for each node",
      type: "boolean",
      defaultValue: true,
    },
    {
      id: "ClipGrid.ErrorNotices",
      category: ["CLIP Grid", "Results", "ErrorNotices"],
      name: "Show a notice when a node of CLIP Grid fails",
      type: "boolean",
      defaultValue: true,
    },
    {
      id: "ClipGrid.ShowSheetInNode",
      category: ["CLIP Grid", "Sheets", "ShowSheetInNode"],
      name: "Show the sheet in its node",
      type: "boolean",
      defaultValue: true,
    },
    {
      id: "ClipGrid.ViewerBackground",
      category: ["CLIP Grid", "Sheets", "ViewerBackground"],
      name: "Background of the sheet viewer",
      type: "combo",
      defaultValue: "theme",
      options: [
        { text: "As ComfyUI", value: "theme" },
        { text: "Black", value: "black" },
        { text: "Grey", value: "grey" },
        { text: "White", value: "white" },
        { text: "Checkerboard", value: "checker" },
      ],
    },
  ],
  commands: COMMANDS.map(({ id, label, icon, run }) => ({
    id,
    label: `CLIP Grid: ${label}`,
    icon,
    menubarLabel: label,
    function: () => run(selectedOrOnly(hasResult)),
  })),
  // letters with Shift: neither ComfyUI nor browsers use them, and in text fields they stay letters;
  // the command of the viewer is in sheet_viewer.js
  keybindings: [
    { commandId: "ClipGrid.OpenViewer", combo: { key: "g", shift: true } },
    { commandId: "ClipGrid.CopyScores", combo: { key: "c", shift: true } },
    { commandId: "ClipGrid.CopyReport", combo: { key: "j", shift: true } },
  ],
  menuCommands: [{ path: ["Extensions", "CLIP Grid"], commands: COMMANDS.map(({ id }) => id) }],
  aboutPageBadges: [{ label: "CLIP Grid", url: HOME, icon: "pi pi-th-large" }],
  getNodeMenuItems(node) {
    return hasResult(node)
      ? COMMANDS.map(({ label, run }) => ({ content: menuLabel(label), callback: () => void run(node) }))
      : [];
  },
  getSelectionToolboxCommands(item) {
    return SCORE_NODES.has(item?.comfyClass) ? ["ClipGrid.CopyScores"] : [];
  },
});
