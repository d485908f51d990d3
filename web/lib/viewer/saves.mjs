// @ts-check
/** Saving what is seen: a page, its data, one picture. */
import { make } from "../dom.mjs";
import { scaleBox } from "./boxes.mjs";
import { sentence } from "./facts.mjs";
import { absolute, entriesOf, loadPicture } from "./pictures.mjs";
import { isShownFile } from "./sheets.mjs";

/** @typedef {import("./sheets.mjs").Entry} Entry */
/** @typedef {import("./cells.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */

export class Saves {
  /**
   * @param {import("./state.mjs").State} state
   * @param {(text: string) => void} say
   */
  constructor(state, say) {
    this.state = state;
    this.say = say;
  }

  /** @param {Cell} cell */
  async cell(cell) {
    try {
      await saveCell(cell, this.state.sheet.pages[cell.page]);
    } catch (error) {
      this.say(sentence(/** @type {Error} */ (error).message));
    }
  }

  page() {
    const entry = this.state.page.file ?? this.state.page.shown;
    if (entry) saveEntry(entry);
    else this.say("This page has no file");
  }

  data() {
    if (this.state.sheet.sidecar) saveEntry(this.state.sheet.sidecar);
    else this.say("This sheet has no JSON file; switch sidecar on in the template and queue again");
  }
}

/**
 * A file of the server.
 * @param {Entry} entry
 */
function saveEntry(entry) {
  saveAs(absolute(entry), entry.filename);
}

/**
 * One picture, cut out of the saved page. Throws an Error that says why it cannot be had.
 * @param {Cell} cell
 * @param {Page} page
 */
async function saveCell(cell, page) {
  const best = isShownFile(page) && page.file ? [page.file, ...entriesOf(page)] : entriesOf(page);
  const picture = await loadPicture(best);
  const [x, y, width, height] = scaleBox(cell.imageBox, page, { width: picture.naturalWidth, height: picture.naturalHeight });
  const canvas = make("canvas", { attrs: { width, height } });
  canvas.getContext("2d")?.drawImage(picture, x, y, width, height, 0, 0, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done));
  if (!blob) throw new Error("the browser has no memory for this picture; save the page instead");
  const url = URL.createObjectURL(blob);
  saveAs(url, `${nameOf(cell)}.png`);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * A name that every system takes.
 * @param {Cell} cell
 */
export function nameOf({ file, label, index }) {
  const stem = file.replace(/\.[^.]*$/, "") || label || `cell_${index}`;
  return stem.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, "_").trim().slice(0, 80) || `cell_${index}`;
}

/**
 * @param {string} href
 * @param {string} name
 */
function saveAs(href, name) {
  make("a", { attrs: { href, download: name } }).click();
}
