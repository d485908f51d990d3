// @ts-check
/** Images of pages: shown, cut into cells, and saved. */
import { make } from "../dom.mjs";
import { fetchWhole, fileUrl, isSameFile, isWebImage, loadImage, messageOf } from "../files.mjs";
import { text } from "../texts.mjs";
import { cropStyle, scaleBox } from "./geometry.mjs";
import { originalOf } from "./sheets.mjs";

/** @typedef {import("./sheets.mjs").Cell} Cell */
/** @typedef {import("./sheets.mjs").Page} Page */
/** @typedef {import("./sheets.mjs").FileEntry} FileEntry */

/** Pixels of a page up to which browsers zoom its saved file smoothly. */
const MAX_PIXELS = 120e6;
/** The same where many cells are cut out of it at once. */
const MAX_PIXELS_TO_CUT = 40e6;
/** Milliseconds after which the memory of a saved picture is freed. */
const SAVE_TIME = 60_000;

/**
 * The image for the screen, then the saved page where that is another file that browsers show.
 * @param {Page} page
 * @returns {FileEntry[]}
 */
export function imageFiles(page) {
  const saved = page.file && isWebImage(page.file) && page.width * page.height <= MAX_PIXELS ? page.file : null;
  const shown = page.shown ?? saved;
  if (!shown) return [];
  return saved && !isSameFile(shown, saved) ? [shown, saved] : [shown];
}

/**
 * The same for cutting many cells out of it.
 * @param {Page} page
 * @returns {FileEntry[]}
 */
export function imageFilesToCut(page) {
  return page.width * page.height <= MAX_PIXELS_TO_CUT ? imageFiles(page) : imageFiles(page).slice(0, 1);
}

/**
 * Layers of a CSS background: the saved page over the smaller image, which is there sooner.
 * @param {Page} page
 * @param {FileEntry[]} [files]
 * @returns {string}
 */
export function backgroundOf(page, files = imageFilesToCut(page)) {
  return [...files]
    .reverse()
    .map((entry) => `url("${fileUrl(entry)}")`)
    .join(", ");
}

/**
 * A cell's picture as large as its parent allows: the original, and until it is there, or where it is gone, what the
 * page shows of it.
 * @param {Cell} cell
 * @param {Page} page
 * @param {string} [background] of the page
 */
export function pictureElement(cell, page, background) {
  const crop = cropElement(cell, page, background);
  const original = originalOf(cell);
  if (!original || !isWebImage(original)) return crop;
  const image = make("img", {
    attrs: { loading: "lazy", decoding: "async", draggable: "false", alt: "", src: fileUrl(original) },
    on: {
      load() {
        crop.classList.add("clip-grid-whole");
        crop.style.setProperty("--clip-grid-ratio", String(image.naturalWidth / image.naturalHeight));
      },
      error: () => image.remove(),
    },
  });
  crop.append(image);
  return crop;
}

/**
 * @param {Cell} cell
 * @param {Page} page
 * @param {string} [background] of the page
 */
function cropElement(cell, page, background = backgroundOf(page, imageFiles(page))) {
  const [, , width, height] = cell.imageBox;
  const style = {
    "background-image": background,
    "--clip-grid-ratio": String(width / height),
    ...cropStyle(cell.imageBox, page),
  };
  return make("div", { cls: "clip-grid-crop", style });
}

/** The image of one page: a small one first, the saved page when it is zoomed, or a message why there is none. */
export class PageImage {
  element = make("img", { cls: "clip-grid-page", attrs: { alt: "", draggable: "false" } });
  message = make("p", { cls: "clip-grid-missing", attrs: { role: "alert" } });
  /** @type {Page | null} */
  #page = null;
  /** Pixels of the image that is shown; 0 when there is none yet. */
  #width = 0;
  #hasDetail = false;
  #onLoad;

  /** @param {(size: {width: number, height: number}) => void} onLoad */
  constructor(onLoad) {
    this.#onLoad = onLoad;
  }

  /** @param {Page} page */
  async show(page) {
    [this.#page, this.#width, this.#hasDetail] = [page, 0, imageFiles(page).length < 2];
    this.message.textContent = "";
    this.element.removeAttribute("src");
    try {
      this.#set(page, await loadImage(imageFiles(page)));
    } catch (error) {
      if (this.#page === page) this.message.textContent = messageOf(error);
    }
  }

  /**
   * Load the saved page if the image is too small for the zoom.
   * @param {number} scale pixels of the screen for one of the page
   */
  async showDetail(scale) {
    const page = this.#page;
    if (!page || this.#hasDetail || !this.#width || scale * page.width <= this.#width * 1.05) return;
    this.#hasDetail = true;
    const image = await loadImage(imageFiles(page).slice(1)).catch(() => null);
    if (image) this.#set(page, image);
  }

  /**
   * @param {Page} page
   * @param {HTMLImageElement} image
   */
  #set(page, image) {
    // the user may have gone to another page while it was loaded
    if (this.#page !== page) return;
    this.element.src = image.src;
    this.#width = image.naturalWidth;
    this.#onLoad({ width: image.naturalWidth, height: image.naturalHeight });
  }
}

/**
 * Save a file of the server.
 * @param {FileEntry} entry
 */
export function saveFile(entry) {
  saveUrl(fileUrl(entry), entry.filename);
}

/**
 * Save the picture of one cell: the original, or where it is gone, what the saved page shows of it.
 * Throws an Error whose message tells the user why it cannot be saved.
 * @param {Cell} cell
 * @param {Page} page
 */
export async function saveCell(cell, page) {
  const original = originalOf(cell);
  const whole = original && (await fetchWhole(original).catch(() => null));
  if (whole) saveBlob(whole, whole.name);
  else await saveCrop(cell, page);
}

/**
 * @param {Cell} cell
 * @param {Page} page
 */
async function saveCrop(cell, page) {
  const files = page.file && isWebImage(page.file) ? [page.file, ...imageFiles(page)] : imageFiles(page);
  const image = await loadImage(files);
  const [x, y, width, height] = scaleBox(cell.imageBox, page, {
    width: image.naturalWidth,
    height: image.naturalHeight,
  });
  const canvas = make("canvas", { attrs: { width, height } });
  canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, width, height);
  /** @type {Blob | null} */
  const blob = await new Promise((done) => canvas.toBlob(done));
  if (!blob) throw new Error(text("save.no_memory"));
  saveBlob(blob, `${fileStem(cell)}.png`);
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  saveUrl(url, name);
  setTimeout(() => URL.revokeObjectURL(url), SAVE_TIME);
}

/**
 * A name that every system allows.
 * @param {Cell} cell
 */
function fileStem({ file, label, index }) {
  const stem = file.replace(/\.[^.]*$/, "") || label || `cell_${index}`;
  return (
    stem
      .replace(/[\u0000-\u001f<>:"/\\|?*]+/g, "_")
      .trim()
      .slice(0, 80) || `cell_${index}`
  );
}

/**
 * @param {string} href
 * @param {string} name
 */
function saveUrl(href, name) {
  make("a", { attrs: { href, download: name } }).click();
}
