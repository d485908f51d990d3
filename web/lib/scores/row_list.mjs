// @ts-check
/** The scrolling list of rows of a result; of a long one only the rows on the screen are elements. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { PHRASE_SIGNS, SIGNS } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {{first: number, end: number}} Range the first row, and the one after the last */

/** Rows of which all are elements, each as high as it needs. */
const MAX_WHOLE = 30;
/** Heights of rows of two and three lines in a longer list, in pixels. */
const LOW_ROW = 36;
const HIGH_ROW = 52;
/** Rows above and below those on the screen that are elements too, so that scrolling shows no gap. */
const SPARE = 12;

export class RowList {
  /** @type {Row[]} */
  #rows = [];
  #hasThreeLines = false;
  /** @type {Range} */
  #drawn = { first: 0, end: 0 };
  #inner = make("div", { cls: "clip-grid-scores-rows" });
  element = make(
    "div",
    {
      cls: "clip-grid-scores-list",
      attrs: { role: "list", tabindex: "0", "aria-label": text("scores.list") },
      on: { scroll: () => this.#drawVisible() },
    },
    this.#inner,
  );

  constructor() {
    new ResizeObserver(() => this.#drawVisible()).observe(this.element);
  }

  /** @param {Row[]} rows */
  show(rows) {
    this.#rows = rows;
    this.#hasThreeLines = rows.some((row) => row.phrases.length > 0 || row.note !== "");
    this.#drawn = { first: 0, end: 0 };
    this.#inner.dataset.long = String(this.#isLong);
    this.#inner.style.height = this.#isLong ? `${rows.length * this.#rowHeight}px` : "";
    this.#inner.replaceChildren(...(this.#isLong ? [] : rows.map((row) => rowElement(row, this.#hasThreeLines))));
    this.#drawVisible();
  }

  /** The height of all rows, in pixels. */
  get fullHeight() {
    return this.#isLong ? this.#rows.length * this.#rowHeight : this.#inner.offsetHeight;
  }

  get #isLong() {
    return this.#rows.length > MAX_WHOLE;
  }

  get #rowHeight() {
    return this.#hasThreeLines ? HIGH_ROW : LOW_ROW;
  }

  #drawVisible() {
    if (!this.#isLong) return;
    const height = this.#rowHeight;
    const { first, end } = this.#visible;
    // scrolling by a few rows draws nothing
    if (this.#drawn.first <= first && end <= this.#drawn.end) return;
    this.#drawn = { first: Math.max(0, first - SPARE), end: Math.min(this.#rows.length, end + SPARE) };
    const drawn = this.#rows
      .slice(this.#drawn.first, this.#drawn.end)
      .map((row) => rowElement(row, this.#hasThreeLines));
    drawn.forEach((element, place) => {
      element.style.height = `${height}px`;
      element.style.top = `${(this.#drawn.first + place) * height}px`;
    });
    this.#inner.replaceChildren(...drawn);
  }

  /** @returns {Range} the rows on the screen */
  get #visible() {
    const { scrollTop: top, clientHeight } = this.element;
    const first = Math.max(0, Math.min(this.#rows.length - 1, Math.floor(top / this.#rowHeight)));
    return {
      first,
      end: Math.max(first, Math.min(this.#rows.length, Math.ceil((top + clientHeight) / this.#rowHeight))),
    };
  }
}

/**
 * @param {Row} row
 * @param {boolean} hasThreeLines whether rows have a third line, for phrases or a note
 * @returns {HTMLElement}
 */
function rowElement(row, hasThreeLines) {
  const { state, word, name, picture, score, phrases, note } = row;
  const top = make(
    "div",
    { cls: "clip-grid-score-top" },
    make("span", { cls: "clip-grid-score-sign", text: SIGNS[state], attrs: { "aria-hidden": "true" } }),
    word && make("span", { cls: "clip-grid-score-word", text: word }),
    // bdi: names of any writing direction leave the rest of the line as it is
    make("bdi", { cls: "clip-grid-score-name", text: name, attrs: { dir: "auto" } }),
    picture && make("bdi", { cls: "clip-grid-score-picture", text: picture, attrs: { dir: "auto" } }),
    make("span", { cls: "clip-grid-score-number", text: score }),
  );
  const last =
    hasThreeLines &&
    make(
      "div",
      { cls: "clip-grid-score-last" },
      ...phrases.map(phraseElement),
      note && make("bdi", { cls: "clip-grid-score-note", text: note }),
    );
  return make(
    "div",
    { cls: "clip-grid-score", title: row.details, data: { state }, attrs: { role: "listitem" } },
    top,
    barElement(row),
    last,
  );
}

/**
 * @param {Row} row
 * @returns {HTMLElement}
 */
function barElement({ bar, marks }) {
  const fill =
    bar &&
    make("span", { cls: "clip-grid-score-fill", style: { left: percent(bar[0]), width: percent(bar[1] - bar[0]) } });
  const drawn = marks.map(({ kind, at, end, title }) => {
    const style = { left: percent(at), ...(end !== undefined && { width: percent(end - at) }) };
    return make("span", { cls: "clip-grid-score-mark", title, data: { kind }, style });
  });
  return make("div", { cls: "clip-grid-score-bar", data: { empty: String(!bar) } }, fill, ...drawn);
}

/**
 * @param {import("./rows.mjs").Phrase} phrase
 * @returns {HTMLElement}
 */
function phraseElement({ text: phrase, state, word, title }) {
  const sign = make("span", {
    // most phrases are shown: their sign is enough to see
    text: state === "shown" ? `${PHRASE_SIGNS[state]} ` : `${PHRASE_SIGNS[state]} ${word} `,
    attrs: { role: "img", "aria-label": word },
  });
  return make(
    "span",
    { cls: "clip-grid-score-phrase", title, data: { phrase: state } },
    sign,
    make(state === "missing" ? "s" : "span", { text: phrase }),
  );
}

/**
 * @param {number} part
 * @returns {string}
 */
function percent(part) {
  return `${(100 * part).toFixed(2)}%`;
}
