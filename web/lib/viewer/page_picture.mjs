// @ts-check
/** The picture of a page: a small one first, the saved one when it is zoomed, or why there is none. */
import { make } from "../dom.mjs";
import { sentence } from "./facts.mjs";
import { entriesOf, loadPicture } from "./pictures.mjs";

/** @typedef {import("./sheets.mjs").Page} Page */

export class PagePicture {
  element = make("img", { cls: "clip-grid-page", attrs: { alt: "", draggable: "false" } });
  message = make("p", { cls: "clip-grid-missing", attrs: { role: "alert" } });
  /** @type {Page | null} */
  page = null;
  /** Pixels of the picture that is shown; 0 when there is none yet. */
  width = 0;
  hasDetail = false;

  /** @param {(size: {width: number, height: number}) => void} loaded */
  constructor(loaded) {
    this.loaded = loaded;
  }

  /** @param {Page} page */
  async show(page) {
    [this.page, this.width, this.hasDetail] = [page, 0, entriesOf(page).length < 2];
    this.message.textContent = "";
    this.element.removeAttribute("src");
    try {
      this.set(page, await loadPicture(entriesOf(page)));
    } catch (error) {
      if (this.page === page) this.message.textContent = sentence(/** @type {Error} */ (error).message);
    }
  }

  /**
   * Loads the saved page when this picture is too small for the zoom.
   * @param {number} scale pixels of the screen for one of the page
   */
  async wantDetail(scale) {
    const { page } = this;
    if (!page || this.hasDetail || !this.width || scale * page.width <= this.width * 1.05) return;
    this.hasDetail = true;
    const image = await loadPicture(entriesOf(page).slice(1)).catch(() => null);
    if (image) this.set(page, image);
  }

  /**
   * @param {Page} page
   * @param {HTMLImageElement} image
   */
  set(page, image) {
    // the user may have turned to another page while it was loaded
    if (this.page !== page) return;
    this.element.src = image.src;
    this.width = image.naturalWidth;
    this.loaded({ width: image.naturalWidth, height: image.naturalHeight });
  }
}
