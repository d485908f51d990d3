// @ts-check
/** The keys of the viewer, as users read them. */
import { make } from "../dom.mjs";

/** @type {[string, [string, string][]][]} */
const KEYS = [
  ["Everywhere", [
    ["s · w · c", "sheet · wall of cells · compare two cells"],
    ["PageUp, PageDown", "page before, next page"],
    ["arrow keys", "go from cell to cell"],
    ["Enter", "pin the cell, or let it go"],
    ["x", "choose the cell for the comparison (or Ctrl + click)"],
    ["e", "edit the label (or double click)"],
    ["d · Shift+D · j", "save the picture · the page · the page's data as JSON"],
    ["i", "show or hide the panel"],
    ["? · Esc", "this help · back, close"],
  ]],
  ["Sheet", [
    ["wheel, two fingers, + −", "zoom"],
    ["0 · 1", "whole page · every pixel (100 %)"],
    ["drag, Shift + arrow keys", "move the page"],
  ]],
  ["Wall of cells", [
    ["/", "filter: words, or name:word, such as seed:42"],
    ["r", "ascending or descending"],
    ["+ −", "larger, smaller"],
    ["Home, End", "first cell, last cell"],
  ]],
  ["Compare", [
    ["← → · Home, End", "move the slider · to its end"],
    ["↑ ↓", "compare with another cell"],
    ["f", "swap the two"],
  ]],
];

/** @param {() => void} close */
export function helpOf(close) {
  const sections = KEYS.map(([title, rows]) => make("section", {}, make("h3", { text: title }), make("table", {}, ...rows.map(row))));
  const button = make("button", { text: "Close", title: "Esc", on: { click: close } });
  return make("div", { cls: "clip-grid-help", attrs: { role: "dialog", "aria-label": "Keys" } }, make("div", {}, ...sections), button);
}

/** @param {[string, string]} given */
function row([keys, what]) {
  return make("tr", {}, make("th", { text: keys, attrs: { scope: "row" } }), make("td", { text: what }));
}
