// @ts-check
/** A row of a result as elements. */
import { make } from "../dom.mjs";
import { SIGN } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */

/**
 * @param {Row} row
 * @param {boolean} isThree whether rows have a third line, for phrases or a note
 * @returns {HTMLElement}
 */
export function rowView(row, isThree) {
  return make(
    "div", { cls: "clip-grid-score", title: row.told, data: { state: row.state }, attrs: { role: "listitem" } },
    topLine(row), barView(row), isThree && lastLine(row),
  );
}

/**
 * @param {Row} row
 * @returns {HTMLElement}
 */
function topLine({ state, word, name, of, number }) {
  return make(
    "div", { cls: "clip-grid-score-top" },
    make("span", { cls: "clip-grid-score-sign", text: SIGN[state], attrs: { "aria-hidden": "true" } }),
    word && make("span", { cls: "clip-grid-score-word", text: word }),
    // bdi: names of any writing direction leave the rest of the line as it is
    make("bdi", { cls: "clip-grid-score-name", text: name, attrs: { dir: "auto" } }),
    of && make("bdi", { cls: "clip-grid-score-of", text: of, attrs: { dir: "auto" } }),
    make("span", { cls: "clip-grid-score-number", text: number }),
  );
}

/**
 * @param {Row} row
 * @returns {HTMLElement}
 */
function barView({ bar, marks }) {
  const fill = bar && make("span", { cls: "clip-grid-score-fill", style: { left: percent(bar[0]), width: percent(bar[1] - bar[0]) } });
  const drawn = marks.map(({ kind, at, told }) => (
    make("span", { cls: "clip-grid-score-mark", title: told, data: { kind }, style: { left: percent(at) } })
  ));
  return make("div", { cls: "clip-grid-score-bar", data: { empty: String(!bar) } }, fill, ...drawn);
}

/**
 * @param {Row} row
 * @returns {HTMLElement}
 */
function lastLine({ chips, note }) {
  const drawn = chips.map(({ text, isMissing, told }) => {
    const sign = make("span", { text: isMissing ? "✗ missing " : "✓ ", attrs: { "aria-hidden": "true" } });
    const phrase = make(isMissing ? "s" : "span", { text });
    return make("span", { cls: "clip-grid-score-phrase", title: told, data: { missing: String(isMissing) } }, sign, phrase);
  });
  return make("div", { cls: "clip-grid-score-last" }, ...drawn, note && make("bdi", { cls: "clip-grid-score-note", text: note }));
}

/**
 * @param {number} part
 * @returns {string}
 */
function percent(part) {
  return `${(100 * part).toFixed(2)}%`;
}
