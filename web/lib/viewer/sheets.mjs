// @ts-check
/** What a sheet node told, as sheets with pages and cells. Pure: no page, no network. */

import { cellsOf, fileName, size } from "./cells.mjs";

/** @typedef {import("../views.mjs").Entry} Entry */
/**
 * @typedef {object} Page
 * @property {number} number from 0, within its sheet
 * @property {number} width 0 when it is not known before the picture is loaded
 * @property {number} height
 * @property {Entry | null} shown the picture for the screen, perhaps smaller than the page
 * @property {Entry | null} file the saved page
 */
/** @typedef {import("./cells.mjs").Box} Box */
/** @typedef {import("./cells.mjs").Cell} Cell */
/**
 * @typedef {object} Sheet
 * @property {string} name
 * @property {Page[]} pages
 * @property {Cell[]} cells
 * @property {Entry[]} files every file that was written for it
 * @property {Entry | null} sidecar
 * @property {any} report null when it is not known
 * @property {string[]} notes what a person should know: warnings, skipped pictures, why cells are missing
 */

/** Formats whose saved pages a browser shows. */
const SHOWN = /\.(png|jpe?g|webp|avif)$/i;

/**
 * The sheets of an output of a node right after its run.
 * @param {Record<string, any>} output `ui` of a sheet node
 * @returns {Sheet[]}
 */
export function sheetsOfRun(output) {
  const reports = reportsOf(output.clip_grid?.[0]);
  const groups = groupFiles(output.clip_grid_files ?? []);
  return sheetsOf(reports.map((report, i) => ({ files: filesOf(report, i, groups), report, problem: "" })), output.images ?? []);
}

/**
 * Sheets of files and their reports.
 * @param {{files: Entry[], report: any, problem: string}[]} groups
 * @param {Entry[]} images the pictures for the screen, of all pages of all sheets in order
 * @returns {Sheet[]}
 */
export function sheetsOf(groups, images) {
  let next = 0;
  return groups.map(({ files, report, problem }, i) => {
    const written = files.filter((file) => !isBeside(file));
    const left = images.length - next;
    const count = report?.pages?.length ?? (i === groups.length - 1 ? left : Math.min(left, written.length));
    const pages = pagesOf(report, written, images.slice(next, next + count));
    next += count;
    return {
      name: written[0]?.filename ?? images[next - count]?.filename ?? "sheet",
      pages,
      cells: cellsOf(report),
      files,
      sidecar: files.find((file) => file.filename.endsWith(".json")) ?? null,
      report,
      notes: [...(problem ? [problem] : []), ...notesOf(report)],
    };
  });
}

/**
 * The files of each sheet: its pages, then what lies beside them.
 * @param {Entry[]} files of all sheets in order
 * @returns {Entry[][]}
 */
export function groupFiles(files) {
  /** @type {Entry[][]} */
  const groups = [];
  let last = null;
  for (const file of files) {
    const starts = !last || (isBeside(last) && !isBeside(file));
    if (starts) groups.push([]);
    groups[groups.length - 1].push(file);
    last = file;
  }
  return groups;
}

/**
 * @param {Entry} file
 * @returns {boolean} whether it is no page but the sidecar or the scores
 */
export function isBeside({ filename }) {
  return filename.endsWith(".json") || filename.endsWith(".scores.csv");
}

/**
 * @param {any} told a report, or the reports of a batch
 * @returns {any[]}
 */
export function reportsOf(told) {
  if (!told) return [];
  return Array.isArray(told.grids) ? told.grids : [told];
}

/**
 * @param {any} report
 * @param {number} index
 * @param {Entry[][]} groups
 * @returns {Entry[]} the group whose first page the report names, else the one at its place
 */
function filesOf(report, index, groups) {
  const first = fileName(report?.pages?.[0]?.path);
  return groups.find((group) => group[0]?.filename === first) ?? groups[index] ?? [];
}

/**
 * @param {any} report
 * @param {Entry[]} written
 * @param {Entry[]} images
 * @returns {Page[]}
 */
function pagesOf(report, written, images) {
  const count = report?.pages?.length ?? Math.max(images.length, written.length);
  return Array.from({ length: count }, (_, number) => {
    const told = report?.pages?.[number] ?? {};
    const file = written.find((entry) => entry.filename === fileName(told.path)) ?? written[number] ?? null;
    const shown = images[number] ?? (file && SHOWN.test(file.filename) ? file : null);
    return { number, width: size(told.width), height: size(told.height), shown, file };
  });
}

/**
 * @param {Page} page
 * @returns {boolean} whether a browser can show the saved page
 */
export function isShownFile(page) {
  return Boolean(page.file && SHOWN.test(page.file.filename));
}

/**
 * @param {any} report
 * @returns {string[]}
 */
function notesOf(report) {
  const warnings = Array.isArray(report?.warnings) ? report.warnings : [];
  const skipped = Array.isArray(report?.skipped) ? report.skipped : [];
  return [...warnings.map(String), ...skipped.map((/** @type {any} */ one) => `left out: ${fileName(one?.path)}: ${one?.reason}`)];
}
