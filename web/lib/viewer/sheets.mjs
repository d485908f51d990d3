// @ts-check
/** The sheets of a node's output, with their pages and cells. */
import { fetchJson, isWebImage, messageOf } from "../files.mjs";
import { text } from "../texts.mjs";

/** @typedef {import("../files.mjs").FileEntry} FileEntry */
/** @typedef {import("../results.mjs").Output} Output */
/** @typedef {[left: number, top: number, width: number, height: number]} Box in pixels of the page */

/**
 * What a run wrote about a sheet, as in its sidecar.
 * A sidecar may be changed by hand: any property may be missing or wrong.
 * @typedef {object} Report
 * @property {{path: string, width: number, height: number}[]} [pages]
 * @property {ReportCell[]} [cells]
 * @property {{path: string, reason: string}[]} [skipped]
 * @property {string[]} [warnings]
 * @property {number} [images_found]
 * @property {string} [grid_dimensions] as in "3x4"
 * @property {string} [export_format]
 * @property {Record<string, number>} [label_sources]
 * @property {string} [label_position] over, below, above or none; older sheets lack it
 * @property {{constant?: Record<string, unknown>}} [axes]
 */
/**
 * @typedef {object} ReportCell
 * @property {number} [page]
 * @property {number} [row]
 * @property {number} [column]
 * @property {number} [index] place among the input pictures; older sheets lack it
 * @property {string} [path]
 * @property {string} [label]
 * @property {string} [source]
 * @property {string} [runner_up]
 * @property {Box} [box]
 * @property {Box} [image_box]
 * @property {Record<string, string>} [values]
 * @property {Record<string, number | null>} [scores]
 */

/**
 * @typedef {object} Sheet
 * @property {string} name
 * @property {Page[]} pages
 * @property {Cell[]} cells those that can be drawn
 * @property {FileEntry[]} files every file that was written for it
 * @property {FileEntry | null} sidecar
 * @property {Report | null} report null when it is not known
 * @property {string[]} notes what the user should know: warnings, skipped pictures, why cells are missing
 */
/**
 * @typedef {object} Page
 * @property {number} number from 0, within its sheet
 * @property {number} width 0 when it is not known before the image is loaded
 * @property {number} height
 * @property {FileEntry | null} shown the image for the screen, perhaps smaller than the page
 * @property {FileEntry | null} file the saved page
 */
/**
 * @typedef {object} Cell
 * @property {number} index place in the report's list of cells
 * @property {number} page
 * @property {number} row
 * @property {number} column
 * @property {string} label
 * @property {string} source where the label comes from
 * @property {string} path
 * @property {string} file the last part of the path
 * @property {string} runnerUp the next best label
 * @property {Box} box
 * @property {Box} imageBox
 * @property {Record<string, string>} values
 * @property {Record<string, number | null>} scores
 * @property {boolean} edited
 */
/** The folders whose files ComfyUI's /view serves. */
const SERVED_FOLDERS = new Set(["output", "input", "temp"]);

/** @typedef {{files: FileEntry[], report: Report | null, problem: string}} SheetFiles `problem`: why no report */

/**
 * The sheets of an output. The copy that is saved with the workflow has only the names of files: sidecars are read.
 * @param {Output} output
 * @returns {Promise<Sheet[]>}
 */
export async function loadSheets(output) {
  if (output.clip_grid?.length) return sheetsOfRun(output);
  const groups = groupFiles(filesOfRun(output));
  return sheetsOf(await Promise.all((groups.length ? groups : [[]]).map(withReport)), shownOfRun(output));
}

/**
 * @param {FileEntry[]} files of one sheet
 * @returns {Promise<SheetFiles>}
 */
async function withReport(files) {
  const sidecar = sidecarOf(files);
  if (!sidecar) return { files, report: null, problem: text("sheet.no_sidecar") };
  try {
    return { files, report: /** @type {Report} */ (await fetchJson(sidecar)), problem: "" };
  } catch (error) {
    return { files, report: null, problem: text("sheet.no_report", { reason: messageOf(error) }) };
  }
}

/**
 * The sheets of an output as a node sends it after its run.
 * @param {Output} output
 * @returns {Sheet[]}
 */
export function sheetsOfRun(output) {
  const groups = groupFiles(filesOfRun(output));
  return sheetsOf(
    reportsOf(output).map((report, i) => ({ files: filesOf(report, i, groups), report, problem: "" })),
    shownOfRun(output),
  );
}

/**
 * Every file that a run wrote.
 * @param {Output} output
 * @returns {FileEntry[]}
 */
export function filesOfRun({ clip_grid_files: files = [] }) {
  return files.flat();
}

/**
 * The image for the screen of each page: the smaller copy where there is one.
 * @param {Output} output
 * @returns {FileEntry[]}
 */
export function shownOfRun({ images = [], clip_grid_reduced: reduced = [] }) {
  return images.map((file, i) => (reduced[i] ? { filename: reduced[i], subfolder: "", type: "temp" } : file));
}

/**
 * The saved file of each page if browsers show its format, else a picture of it.
 * @param {Output} output
 * @returns {FileEntry[]}
 */
export function savedOfRun(output) {
  const { images = [] } = output;
  // version 0.1 announced a smaller copy of large sheets, which is gone after a restart
  const pages = filesOfRun(output).filter((file) => !isExtra(file));
  return images.map((file, i) => (pages.length === images.length && isWebImage(pages[i]) ? pages[i] : file));
}

/**
 * The reports of an output: one, or those of a batch.
 * @param {Output} output
 * @returns {Report[]}
 */
export function reportsOf({ clip_grid: nested = [] }) {
  const [first] = nested.flat();
  if (!first) return [];
  return "grids" in first && Array.isArray(first.grids) ? first.grids : [/** @type {Report} */ (first)];
}

/**
 * Sheets of files and their reports.
 * @param {SheetFiles[]} groups
 * @param {FileEntry[]} images the images for the screen, of all pages of all sheets in order
 * @returns {Sheet[]}
 */
export function sheetsOf(groups, images) {
  let next = 0;
  return groups.map(({ files, report, problem }, i) => {
    const written = files.filter((file) => !isExtra(file));
    const left = images.length - next;
    const count = report?.pages?.length ?? (i === groups.length - 1 ? left : Math.min(left, written.length));
    const pages = pagesOf(report, written, images.slice(next, next + count));
    next += count;
    return {
      name: written[0]?.filename ?? images[next - count]?.filename ?? "sheet",
      pages,
      cells: cellsOf(report),
      files,
      sidecar: sidecarOf(files),
      report,
      notes: [...(problem ? [problem] : []), ...notesOf(report)],
    };
  });
}

/**
 * The files of each sheet: its pages, then its sidecar and scores.
 * @param {FileEntry[]} files of all sheets in order
 * @returns {FileEntry[][]}
 */
function groupFiles(files) {
  /** @type {FileEntry[][]} */
  const groups = [];
  let last = null;
  for (const file of files) {
    if (!last || (isExtra(last) && !isExtra(file))) groups.push([]);
    groups[groups.length - 1].push(file);
    last = file;
  }
  return groups;
}

/**
 * Whether a file is no page, but the sidecar or the scores.
 * @param {FileEntry} file
 */
function isExtra({ filename }) {
  return filename.endsWith(".json") || filename.endsWith(".scores.csv");
}

/** @param {FileEntry[]} files */
function sidecarOf(files) {
  return files.find((file) => file.filename.endsWith(".json")) ?? null;
}

/**
 * @param {Report} report
 * @param {number} index
 * @param {FileEntry[][]} groups
 * @returns {FileEntry[]} the group whose first page the report names, else the one at its place
 */
function filesOf(report, index, groups) {
  const first = fileName(report?.pages?.[0]?.path);
  return groups.find((group) => group[0]?.filename === first) ?? groups[index] ?? [];
}

/**
 * @param {Report | null} report
 * @param {FileEntry[]} written
 * @param {FileEntry[]} images
 * @returns {Page[]}
 */
function pagesOf(report, written, images) {
  const count = report?.pages?.length ?? Math.max(images.length, written.length);
  return Array.from({ length: count }, (_, number) => {
    const page = report?.pages?.[number];
    const file = written.find((entry) => entry.filename === fileName(page?.path)) ?? written[number] ?? null;
    const shown = images[number] ?? (file && isWebImage(file) ? file : null);
    return { number, width: sizeOf(page?.width), height: sizeOf(page?.height), shown, file };
  });
}

/**
 * @param {Report | null} report
 * @returns {Cell[]} those with boxes, which can be drawn
 */
function cellsOf(report) {
  const cells = Array.isArray(report?.cells) ? report.cells : [];
  return cells.map(cellOf).filter(({ box, imageBox }) => isBox(box) && isBox(imageBox));
}

/**
 * @param {ReportCell | null | undefined} cell
 * @param {number} index
 * @returns {Cell}
 */
function cellOf(cell, index) {
  return {
    index,
    page: sizeOf(cell?.page),
    row: sizeOf(cell?.row),
    column: sizeOf(cell?.column),
    label: String(cell?.label ?? ""),
    source: String(cell?.source ?? ""),
    path: String(cell?.path ?? ""),
    file: fileName(cell?.path),
    runnerUp: String(cell?.runner_up ?? ""),
    box: /** @type {Box} */ (cell?.box),
    imageBox: /** @type {Box} */ (cell?.image_box),
    values: { ...cell?.values },
    scores: { ...cell?.scores },
    edited: false,
  };
}

/**
 * What the user should know of a sheet: warnings and pictures that were left out.
 * @param {Report | null} report
 * @returns {string[]}
 */
export function notesOf(report) {
  const warnings = Array.isArray(report?.warnings) ? report.warnings : [];
  const skipped = Array.isArray(report?.skipped) ? report.skipped : [];
  return [
    ...warnings.map(String),
    ...skipped.map((one) => text("sheet.skipped", { file: fileName(one?.path), reason: one?.reason })),
  ];
}

/**
 * The last part of a path of any system.
 * @param {unknown} path
 * @returns {string}
 */
function fileName(path) {
  return (
    String(path ?? "")
      .split(/[\\/]/)
      .pop() ?? ""
  );
}

/**
 * The picture of a cell as it was before it came on the sheet, if ComfyUI serves the folder that it lies in.
 * Reports of nodes name these folders first: `output/renders/cat.png`.
 * @param {Cell} cell
 * @returns {FileEntry | null} the file may be gone
 */
export function originalOf({ path }) {
  const [type, ...folders] = path.split("/");
  const filename = folders.pop();
  return filename && SERVED_FOLDERS.has(type) ? { filename, subfolder: folders.join("/"), type } : null;
}

/**
 * A size or a place.
 * @param {unknown} value
 * @returns {number} 0 for what is none
 */
function sizeOf(value) {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? number : 0;
}

/**
 * @param {unknown} box
 * @returns {boolean}
 */
function isBox(box) {
  return Array.isArray(box) && box.length === 4 && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0;
}
