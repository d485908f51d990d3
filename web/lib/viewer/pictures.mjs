// @ts-check
/** Pictures of pages: which file is loaded, and what is said when it is gone. */
import { viewUrl, whyNotShown } from "../views.mjs";
import { isShownFile } from "./sheets.mjs";

/** @typedef {import("./sheets.mjs").Page} Page */
/** @typedef {import("./sheets.mjs").Entry} Entry */

/** Pixels of a page up to which browsers zoom its saved file smoothly. */
const MOST_PIXELS = 120e6;
/** The same where many cells are cut out of it at once. */
const MOST_CUT = 40e6;

/**
 * The picture for the screen, then the saved page where that is another file that can be shown.
 * @param {Page} page
 * @returns {Entry[]}
 */
export function entriesOf(page) {
  const whole = isShownFile(page) && page.width * page.height <= MOST_PIXELS ? page.file : null;
  const shown = page.shown ?? whole;
  if (!shown) return [];
  return whole && !isSame(shown, whole) ? [shown, whole] : [shown];
}

/**
 * The same for cutting many cells out of it.
 * @param {Page} page
 * @returns {Entry[]}
 */
export function entriesToCut(page) {
  return page.width * page.height <= MOST_CUT ? entriesOf(page) : entriesOf(page).slice(0, 1);
}

/**
 * Layers of a CSS background: the saved page over the smaller picture, which is there sooner.
 * @param {Page} page
 * @returns {string}
 */
export function layersOf(page) {
  return entriesToCut(page).reverse().map((entry) => `url("${absolute(entry)}")`).join(", ");
}

/**
 * @param {Entry} entry
 * @returns {string} an address that may stand in CSS: quotes are escaped in it
 */
export function absolute(entry) {
  return new URL(viewUrl(entry), location.href).href;
}

/**
 * A loaded picture of the page: the first of these that can be had. Throws an Error that says why none can.
 * @param {Entry[]} entries
 * @returns {Promise<HTMLImageElement>}
 */
export async function loadPicture(entries) {
  for (const entry of entries) {
    const image = await load(absolute(entry));
    if (image) return image;
  }
  const [saved] = [...entries.filter((entry) => entry.type !== "temp"), ...entries];
  throw new Error(saved ? await whyNotShown(saved) : "this format is not shown by browsers, and its preview is gone; download the file or queue the workflow again");
}

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement | null>}
 */
async function load(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

/**
 * @param {Entry} a
 * @param {Entry} b
 */
function isSame(a, b) {
  return a.filename === b.filename && (a.subfolder ?? "") === (b.subfolder ?? "") && a.type === b.type;
}
