// @ts-check
/** Keys of the viewer; those of one view are with that view. */

/** @typedef {import("./open.mjs").Viewer} Viewer */

/** @type {Record<string, (viewer: Viewer) => unknown>} */
const EVERYWHERE = {
  s: (viewer) => viewer.go("sheet"),
  w: (viewer) => viewer.go("cells"),
  c: (viewer) => viewer.go("compare"),
  PageUp: (viewer) => viewer.turn(-1),
  PageDown: (viewer) => viewer.turn(1),
  D: (viewer) => viewer.saves.page(),
  j: (viewer) => viewer.saves.data(),
  i: (viewer) => viewer.togglePanel(),
  "?": (viewer) => viewer.help(),
};

/** @type {Record<string, (viewer: Viewer, cell: import("./cells.mjs").Cell) => unknown>} */
const OF_CELL = {
  Enter: (viewer, cell) => viewer.pin(cell),
  x: (viewer, cell) => viewer.choose(cell),
  e: (viewer, cell) => viewer.edit(cell),
  d: (viewer, cell) => viewer.saves.cell(cell),
};

/**
 * Does what a key means; answers whether it means something.
 * @param {KeyboardEvent} event
 * @param {Viewer} viewer
 * @returns {boolean}
 */
export function keysOf(event, viewer) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return false;
  if (viewer.view.key(event)) return true;
  const { cell } = viewer.state;
  const act = EVERYWHERE[event.key];
  const actOnCell = OF_CELL[event.key];
  if (act) act(viewer);
  else if (actOnCell && cell) actOnCell(viewer, cell);
  else return false;
  return true;
}

/**
 * Whether the key is for the element that has the focus.
 * @param {KeyboardEvent} event
 */
function isTyping({ target, key }) {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLButtonElement) return key === "Enter" || key === " ";
  if (!(target instanceof HTMLInputElement)) return false;
  return target.type !== "range" || (target.closest(".clip-grid-wall-bar") !== null && /^(Arrow|Home|End|Page)/.test(key));
}
