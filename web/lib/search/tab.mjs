// @ts-check
/** The search tab: a query that is answered while it is typed, and its hits as small pictures. */
import { api } from "../../../../scripts/api.js";
import { keepEvents, loadStyles, make } from "../dom.mjs";
import { messageOf } from "../files.mjs";
import { notice } from "../front_end.mjs";
import { text } from "../texts.mjs";
import { sheetsOfRun } from "../viewer/sheets.mjs";
import { openViewer } from "../viewer/viewer.mjs";
import { DropTarget } from "./drop_target.mjs";
import { IndexPanel } from "./index_panel.mjs";
import { Likes } from "./likes.mjs";
import { PictureView, button } from "./picture_view.mjs";
import { foldGroups, readTyped } from "./query.mjs";
import { findPictures, makeSheet, sendPicture } from "./requests.mjs";
import { Thumbnails } from "./thumbnails.mjs";

/** @typedef {import("./requests.mjs").Hit} Hit */
/** @typedef {import("./requests.mjs").Found} Found */

/** Milliseconds without a key after which the search begins, and hits of one answer. */
const PAUSE = 150;
const TOP = 120;

export class SearchTab {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Hit[]} */
  #hits = [];
  /** @type {Set<number>} */
  #unfolded = new Set();
  /** @type {number | null} */
  #next = null;
  #isLoading = false;
  /** What the hits are of. @type {Omit<import("./requests.mjs").Query, "offset">} */
  #query = { parts: [], keywords: "", where: "", top: TOP };

  constructor() {
    loadStyles("search");
    const search = {
      type: "search",
      placeholder: text("search.placeholder"),
      "aria-label": text("search.field"),
      spellcheck: "false",
    };
    this.field = make("input", { title: text("search.field_hint"), attrs: search, on: { input: () => this.#soon() } });
    const where = {
      type: "text",
      placeholder: text("search.filter"),
      "aria-label": text("search.filter_label"),
      spellcheck: "false",
    };
    this.filter = make("input", { title: text("search.filter_hint"), attrs: where, on: { input: () => this.#soon() } });
    this.problem = make("p", { cls: "clip-grid-search-error", attrs: { role: "alert" } });
    this.likes = new Likes(() => void this.search());
    this.count = make("p", { cls: "clip-grid-search-quiet", attrs: { role: "status" } });
    this.message = make("div", { cls: "clip-grid-search-message" });
    this.chosen = make("div", { cls: "clip-grid-search-row clip-grid-search-chosen" });
    this.index = new IndexPanel(() => void this.search());
    this.pictures = new Thumbnails({
      open: (index) => this.#open(index),
      point: () => {},
      select: (hit, isRange) => this.#select(hit, isRange),
      unfold: (hit) => this.#unfold(hit),
      end: () => void this.#more(),
    });
    this.view = new PictureView({
      go: (step) => this.#go(step),
      like: (hit, weight) => this.like(hit, weight),
      closed: () => this.pictures.element.focus(),
    });
    this.element = make(
      "div",
      { cls: "clip-grid clip-grid-search" },
      make(
        "div",
        { cls: "clip-grid-search-head" },
        this.field,
        this.filter,
        this.problem,
        this.likes.element,
        this.index.element,
        this.count,
      ),
      this.message,
      this.pictures.element,
      this.chosen,
    );
    new DropTarget(this.element, (file, name) => void this.#drop(file, name));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    keepEvents(this.element, "keydown", "keyup", "wheel", "copy", "paste", "pointerdown");
  }

  /**
   * Show the tab in an element, as often as the front end asks for it.
   * @param {HTMLElement} container
   */
  render(container) {
    // the front end's element is as high as its content, which here scrolls inside
    container.style.height = "100%";
    if (this.element.parentNode !== container) container.replaceChildren(this.element);
    this.pictures.restore();
    void this.index.look();
  }

  /** The tab is closed: query, hits and scroll place stay. */
  destroy() {
    this.index.rest();
    this.element.remove();
  }

  /**
   * Search for pictures like a hit, or unlike it.
   * @param {Hit} hit
   * @param {number} weight
   */
  like(hit, weight) {
    this.likes.add({ part: { id: hit.id, weight }, name: hit.file.filename, thumbnail: api.apiURL(hit.thumbnail) });
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.search(), PAUSE);
  }

  /** Search now. */
  async search() {
    clearTimeout(this.#timer);
    const { status } = this.index;
    if (!status?.has_index || !status.pictures) return this.#showFound(null);
    const { parts, keywords } = readTyped(this.field.value);
    this.#query = { parts: [...parts, ...this.likes.parts], keywords, where: this.filter.value.trim(), top: TOP };
    const found = await this.#find(0);
    return found && this.#showFound(found);
  }

  async #more() {
    if (this.#next === null || this.#isLoading) return;
    const from = this.#next;
    this.#next = null;
    const found = await this.#find(from);
    if (!found) return;
    this.#hits.push(...found.hits);
    this.#next = found.next;
    this.pictures.show(foldGroups(this.#hits, this.#unfolded), true);
  }

  /**
   * @param {number} offset
   * @returns {Promise<Found | null>} null if it failed, or if a newer search has taken its place
   */
  async #find(offset) {
    this.#isLoading = true;
    this.element.dataset.busy = "true";
    try {
      const found = await findPictures({ ...this.#query, offset });
      if (found) this.#settle("");
      return found;
    } catch (error) {
      this.#settle(messageOf(error));
      return null;
    }
  }

  /** @param {string} problem */
  #settle(problem) {
    this.#isLoading = false;
    delete this.element.dataset.busy;
    this.problem.textContent = problem;
    this.filter.setAttribute("aria-invalid", String(problem !== "" && this.filter.value.trim() !== ""));
  }

  /** @param {Found | null} found null without pictures to search in */
  #showFound(found) {
    this.#hits = found?.hits ?? [];
    this.#next = found?.next ?? null;
    this.#unfolded.clear();
    this.pictures.show(foldGroups(this.#hits, this.#unfolded), false);
    this.count.textContent = found ? this.#countText(found) : "";
    this.message.replaceChildren(...this.#messageOf(found));
  }

  /** @param {Found} found */
  #countText({ passed, total }) {
    return passed < total ? text("search.passed", { passed, count: total }) : "";
  }

  /**
   * @param {Found | null} found
   * @returns {Node[]}
   */
  #messageOf(found) {
    const { status, isRunning } = this.index;
    if (found?.hits.length || !status) return [];
    if (found) return [make("p", { text: text("search.none") })];
    if (isRunning) return [make("p", { text: text("search.first_pictures") })];
    if (status.has_index) return [make("p", { text: text("search.no_pictures") })];
    const start = button(text("search.start"), () => void this.index.update(), { cls: "clip-grid-search-start" });
    return [make("h3", { text: text("search.title") }), make("p", { text: text("search.intro") }), start];
  }

  /**
   * @param {Blob} file
   * @param {string} name
   */
  async #drop(file, name) {
    this.element.dataset.busy = "true";
    try {
      const { picture } = await sendPicture(file, name);
      this.likes.add({ part: { picture }, name, thumbnail: URL.createObjectURL(file) });
    } catch (error) {
      this.#settle(messageOf(error));
    }
  }

  /** @param {number} index */
  #open(index) {
    const entry = this.pictures.at(index);
    if (entry) this.view.open(entry.hit);
  }

  /** @param {number} step */
  #go(step) {
    this.pictures.point(this.pictures.current + step);
    return this.pictures.at(this.pictures.current)?.hit;
  }

  /** @param {Hit} hit */
  #unfold({ group }) {
    if (!this.#unfolded.delete(group)) this.#unfolded.add(group);
    this.pictures.show(foldGroups(this.#hits, this.#unfolded), true);
  }

  /**
   * @param {Hit} hit
   * @param {boolean} isRange from the last selected one to this
   */
  #select(hit, isRange) {
    const { selected } = this.pictures;
    const last = [...selected].at(-1);
    const from = this.#hits.findIndex(({ id }) => id === last);
    const to = this.#hits.indexOf(hit);
    if (isRange && from >= 0)
      for (const { id } of this.#hits.slice(Math.min(from, to), Math.max(from, to) + 1)) selected.add(id);
    else if (!selected.delete(hit.id)) selected.add(hit.id);
    this.#showSelected();
  }

  #showSelected() {
    const { selected } = this.pictures;
    this.pictures.redraw();
    if (!selected.size) return this.chosen.replaceChildren();
    const clear = button(text("search.unselect"), () => {
      selected.clear();
      this.#showSelected();
    });
    const sheet = button(text("search.sheet"), () => void this.#makeSheet(sheet), { title: text("search.sheet_hint") });
    return this.chosen.replaceChildren(
      make("span", { text: text("search.selected", { count: selected.size }) }),
      sheet,
      clear,
    );
  }

  /** @param {HTMLButtonElement} pressed */
  async #makeSheet(pressed) {
    pressed.disabled = true;
    try {
      const output = await makeSheet([...this.pictures.selected]);
      openViewer(sheetsOfRun(output), {}, null);
    } catch (error) {
      notice("error", text("search.no_sheet"), messageOf(error));
    }
    pressed.disabled = false;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target instanceof HTMLInputElement;
    const done = isTyping ? this.#keyInField(event) : this.#keyInList(event);
    if (done) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #keyInField({ key }) {
    if (key === "Enter") void this.search();
    else if (key === "ArrowDown" && this.pictures.length) this.pictures.element.focus();
    else if (key === "Escape" && this.field.value) {
      this.field.value = "";
      void this.search();
    } else return false;
    return true;
  }

  /** @param {KeyboardEvent} event */
  #keyInList({ key, target }) {
    if (key === "/" || key === "Escape") {
      this.field.focus();
      this.field.select();
      return true;
    }
    if (target !== this.pictures.element) return false;
    const { current, columns, length } = this.pictures;
    const places = /** @type {Record<string, number>} */ ({
      ArrowLeft: current - 1,
      ArrowRight: current + 1,
      ArrowUp: current - columns,
      ArrowDown: current + columns,
      Home: 0,
      End: length - 1,
    });
    const entry = this.pictures.at(current);
    if (key in places) this.pictures.point(places[key]);
    else if (key === "Enter") this.#open(current);
    else if (key === " " && entry) this.#select(entry.hit, false);
    else return false;
    return true;
  }
}
