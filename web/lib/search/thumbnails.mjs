// @ts-check
/** A list of small pictures, of which only those near the screen are elements. */
import { api } from "../../../../scripts/api.js";
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { offer } from "./drag_out.mjs";

/** @typedef {import("./requests.mjs").Hit} Hit */
/** @typedef {{hit: Hit, more: number}} Entry */
/**
 * @typedef {object} Listeners
 * @property {(index: number) => void} open
 * @property {(index: number) => void} point the picture that keys are for has changed
 * @property {(hit: Hit, isRange: boolean) => void} select
 * @property {(hit: Hit) => void} unfold
 * @property {() => void} end the last pictures are near
 */

/** Pixels: the least width of a picture, the space between two, and the height of the line of weak hits. */
const LEAST = 104;
const GAP = 6;
const LINE = 30;
/** Screens above and below the visible one whose pictures are elements. */
const MARGIN = 0.5;

export class Thumbnails {
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Map<number, HTMLElement>} by place in the list */
  #cells = new Map();
  #isStale = false;
  /** Which picture the keys are for. */
  current = 0;
  /** @type {Set<number>} ids */
  selected = new Set();
  /** The scroll place, which the element loses while it is not on the page. */
  scrolled = 0;

  /** @param {Listeners} listeners */
  constructor(listeners) {
    this.listeners = listeners;
    this.line = make("div", {
      cls: "clip-grid-search-line",
      text: text("search.weak_line"),
      attrs: { role: "separator" },
    });
    this.list = make("div", {
      cls: "clip-grid-search-list",
      attrs: { role: "listbox", "aria-multiselectable": "true", "aria-label": text("search.hits") },
    });
    this.element = make("div", { cls: "clip-grid-search-scroller", attrs: { tabindex: "0" } }, this.list);
    this.element.addEventListener("scroll", () => {
      if (this.element.isConnected) this.scrolled = this.element.scrollTop;
      this.#draw();
    });
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** How many there are. */
  get length() {
    return this.#entries.length;
  }

  /** @param {number} index */
  at(index) {
    return this.#entries[index];
  }

  /**
   * Show other pictures.
   * @param {Entry[]} entries
   * @param {boolean} isSame whether the first of them are those that are shown
   */
  show(entries, isSame) {
    this.#entries = entries;
    if (!isSame) {
      this.current = 0;
      this.scrolled = 0;
      this.element.scrollTop = 0;
    }
    this.redraw();
  }

  /** Draw all cells anew. */
  redraw() {
    this.#isStale = true;
    this.#draw();
  }

  /** Back on the page. */
  restore() {
    this.element.scrollTop = this.scrolled;
    this.#draw();
  }

  /**
   * Go to another picture.
   * @param {number} index
   */
  point(index) {
    if (!this.length) return;
    this.current = Math.max(0, Math.min(this.length - 1, index));
    const { side, top } = this.#place(this.current);
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + side > scrollTop + clientHeight) this.element.scrollTop = top + side - clientHeight;
    this.redraw();
    this.listeners.point(this.current);
  }

  /** How many are beside each other. */
  get columns() {
    return Math.max(1, Math.floor((this.element.clientWidth + GAP) / (LEAST + GAP)));
  }

  /** The place of the first weak hit. */
  get #firstWeak() {
    const first = this.#entries.findIndex(({ hit }) => hit.is_weak);
    return first < 0 ? this.length : first;
  }

  /** @param {number} index */
  #place(index, columns = this.columns, weak = this.#firstWeak) {
    const side = (this.element.clientWidth - GAP * (columns - 1)) / columns;
    const isWeak = index >= weak;
    const inPart = isWeak ? index - weak : index;
    const above = isWeak ? Math.ceil(weak / columns) * (side + GAP) + LINE : 0;
    const row = Math.floor(inPart / columns);
    return { side, top: above + row * (side + GAP), left: (inPart % columns) * (side + GAP) };
  }

  #draw() {
    const { clientHeight: height, clientWidth, scrollTop } = this.element;
    if (!clientWidth) return;
    const columns = this.columns;
    const weak = this.#firstWeak;
    const last = this.length ? this.#place(this.length - 1, columns, weak) : { top: 0, side: 0 };
    this.list.style.height = `${last.top + last.side}px`;
    this.#drawLine(columns, weak);
    const [from, to] = [scrollTop - MARGIN * height, scrollTop + (1 + MARGIN) * height];
    const wanted = new Map();
    for (let index = this.#firstBelow(from, columns, weak); index < this.length; index += 1) {
      const place = this.#place(index, columns, weak);
      if (place.top > to) break;
      if (place.top + place.side >= from) wanted.set(index, place);
    }
    for (const [index, cell] of this.#cells) {
      if (this.#isStale || !wanted.has(index)) {
        cell.remove();
        this.#cells.delete(index);
      }
    }
    this.#isStale = false;
    for (const [index, { top, left, side }] of wanted) {
      const cell = this.#cells.get(index) ?? this.#cell(index);
      cell.style.cssText = `width:${side}px;height:${side}px;transform:translate(${left}px,${top}px)`;
      if (this.#cells.has(index)) continue;
      this.#cells.set(index, cell);
      this.list.append(cell);
    }
    if (this.length && last.top < scrollTop + 2 * height) this.listeners.end();
  }

  /**
   * @param {number} columns
   * @param {number} weak
   */
  #drawLine(columns, weak) {
    if (weak >= this.length) return this.line.remove();
    this.line.style.transform = `translateY(${this.#place(weak, columns, weak).top - LINE}px)`;
    if (!this.line.isConnected || this.line.parentNode !== this.list) this.list.prepend(this.line);
  }

  /**
   * A place in the list that is not below this height, found without looking at all.
   * @param {number} height
   * @param {number} columns
   * @param {number} weak
   */
  #firstBelow(height, columns, weak) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { top, side } = this.#place(middle, columns, weak);
      if (top + side < height) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {number} index */
  #cell(index) {
    const { hit, more } = this.#entries[index];
    const { listeners } = this;
    const image = make("img", {
      attrs: {
        src: api.apiURL(hit.thumbnail),
        alt: hit.file.filename,
        loading: "lazy",
        decoding: "async",
        draggable: "false",
      },
    });
    const isSelected = this.selected.has(hit.id);
    const badge =
      more > 0 &&
      make("button", {
        cls: "clip-grid-search-more",
        text: `+${more}`,
        title: text("search.duplicates", { count: more }),
        attrs: { type: "button", tabindex: "-1" },
        on: {
          click: (event) => {
            event.stopPropagation();
            listeners.unfold(hit);
          },
        },
      });
    return make(
      "div",
      {
        cls: "clip-grid-search-cell",
        title: titleOf(hit),
        data: { weak: String(hit.is_weak), current: String(index === this.current) },
        attrs: { role: "option", "aria-selected": String(isSelected), draggable: "true" },
        on: {
          click: (event) => {
            this.point(index);
            if (event.ctrlKey || event.metaKey || event.shiftKey) listeners.select(hit, event.shiftKey);
            else listeners.open(index);
          },
          dragstart: (event) => offer(event, hit),
        },
      },
      image,
      badge,
      make("button", {
        cls: "clip-grid-search-tick",
        text: isSelected ? "✓" : "",
        title: text("search.select"),
        attrs: { type: "button", tabindex: "-1", "aria-pressed": String(isSelected) },
        on: {
          click: (event) => {
            event.stopPropagation();
            listeners.select(hit, event.shiftKey);
          },
        },
      }),
    );
  }
}

/** @param {Hit} hit */
function titleOf({ file, percentile }) {
  const rank = percentile === null ? "" : `\n${text("search.percentile", { percent: percentile.toFixed(1) })}`;
  return `${file.filename}${rank}`;
}
