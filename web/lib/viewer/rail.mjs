// @ts-check
/** Small pictures of all pages of all sheets, to turn to one. */
import { make } from "../dom.mjs";
import { absolute, entriesOf } from "./pictures.mjs";

/** @typedef {import("./open.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */

export class Rail {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { places, sheets } = viewer.state;
    this.thumbs = places.map(({ sheet, page }, place) => this.thumb(sheets[sheet], page, place));
    const several = sheets.length > 1;
    const children = this.thumbs.flatMap((thumb, place) => (several && places[place].page === 0 ? [heading(sheets[places[place].sheet]), thumb] : [thumb]));
    this.element = make("nav", { cls: "clip-grid-rail", attrs: { "aria-label": "Pages", hidden: places.length < 2 } }, ...children);
  }

  /** Shows what the state says. */
  update() {
    this.thumbs.forEach((thumb, place) => thumb.setAttribute("aria-current", String(place === this.viewer.state.place)));
    if (!this.element.hidden) this.thumbs[this.viewer.state.place].scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {Sheet} sheet
   * @param {number} number
   * @param {number} place
   */
  thumb(sheet, number, place) {
    const page = sheet.pages[number];
    const [entry] = entriesOf(page);
    const picture = entry && make("img", { attrs: { src: absolute(entry), alt: "", loading: "lazy" }, on: { error: (event) => event.target.remove() } });
    const title = page.file?.filename ?? sheet.name;
    return make("button", { title, attrs: { "aria-label": `Page ${number + 1} of ${sheet.name}` }, on: { click: () => this.viewer.turnTo(place) } },
      picture, make("span", { text: String(number + 1) }));
  }
}

/** @param {Sheet} sheet */
function heading({ name }) {
  return make("p", { text: name, title: name });
}
