// @ts-check
/** What stands around the views: the toolbar at the top, the list of pages, and the toolbar over the cells. */
import { make } from "../dom.mjs";
import { fileUrl } from "../files.mjs";
import { text } from "../texts.mjs";
import { imageFiles } from "./page_image.mjs";
import { ordersOf } from "./query.mjs";

/** @typedef {import("./viewer.mjs").Viewer} Viewer */
/** @typedef {import("./sheets.mjs").Sheet} Sheet */
/** @typedef {import("./query.mjs").Order} Order */

/** The size of the cells in pixels. */
const CELL_SIZE = { min: 64, max: 400, value: 160 };

/** The toolbar at the top of the viewer. */
export class Toolbar {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.title = make("strong", { cls: "clip-grid-title" });
    this.modes = {
      sheet: button(text("mode.sheet"), "s", () => viewer.setMode("sheet")),
      cells: button(text("mode.cells"), "w", () => viewer.setMode("cells")),
      compare: button(text("mode.compare"), "c", () => viewer.setMode("compare")),
    };
    this.page = make("span", { cls: "clip-grid-quiet" });
    this.pages = make(
      "span",
      { cls: "clip-grid-group" },
      button("‹", "PageUp", () => viewer.turnPage(-1), text("page.previous")),
      this.page,
      button("›", "PageDown", () => viewer.turnPage(1), text("page.next")),
    );
    this.scale = make("output", { cls: "clip-grid-quiet" });
    this.zoom = make(
      "span",
      { cls: "clip-grid-group" },
      button("−", "-", () => viewer.views.sheet.zoom(0.8), text("zoom.out")),
      this.scale,
      button("+", "+", () => viewer.views.sheet.zoom(1.25), text("zoom.in")),
      button(text("zoom.fit"), "0", () => viewer.views.sheet.fit(), text("zoom.whole_page")),
      button("100 %", "1", () => viewer.views.sheet.fullSize(), text("zoom.every_pixel")),
    );
    const saves = make(
      "span",
      { cls: "clip-grid-group" },
      button(text("save.page"), "Shift+D", () => viewer.savePage()),
      button(text("save.data"), "j", () => viewer.saveData(), text("save.data_hint")),
    );
    this.element = make(
      "header",
      { cls: "clip-grid-toolbar" },
      this.title,
      make(
        "span",
        { cls: "clip-grid-group", attrs: { role: "group", "aria-label": text("viewer.view") } },
        ...Object.values(this.modes),
      ),
      this.pages,
      this.zoom,
      make("span", { cls: "clip-grid-space" }),
      saves,
      button("?", "?", () => viewer.toggleHelp(), text("help.title")),
      button("✕", "Esc", () => viewer.close(), text("viewer.close")),
    );
  }

  /** Show what the state says. */
  update() {
    const { state } = this.viewer;
    this.title.textContent = this.title.title = state.sheet.name;
    for (const [mode, element] of Object.entries(this.modes)) {
      element.setAttribute("aria-pressed", String(mode === state.mode));
    }
    this.pages.hidden = state.places.length < 2;
    this.page.textContent = `${state.place + 1} / ${state.places.length}`;
    this.zoom.hidden = state.mode !== "sheet";
  }

  /** @param {number} scale */
  showZoom(scale) {
    this.scale.textContent = `${Math.round(scale * 100)} %`;
  }
}

/**
 * @param {string} label
 * @param {string} key
 * @param {() => void} click
 * @param {string} [title]
 */
function button(label, key, click, title = label) {
  return make("button", { text: label, title: `${title} (${key})`, attrs: { "aria-label": title }, on: { click } });
}

/** Small images of all pages of all sheets, to go to one. */
export class PageList {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { places, sheets } = viewer.state;
    this.buttons = places.map(({ sheet, page }, place) => this.#button(sheets[sheet], page, place));
    const children = this.buttons.flatMap((element, i) => {
      const { name } = sheets[places[i].sheet];
      return sheets.length > 1 && places[i].page === 0 ? [make("p", { text: name, title: name }), element] : [element];
    });
    this.element = make(
      "nav",
      { cls: "clip-grid-page-list", attrs: { "aria-label": text("page.list"), hidden: places.length < 2 } },
      ...children,
    );
  }

  /** Show what the state says. */
  update() {
    const { place } = this.viewer.state;
    this.buttons.forEach((element, i) => element.setAttribute("aria-current", String(i === place)));
    if (!this.element.hidden) this.buttons[place].scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {Sheet} sheet
   * @param {number} number of the page
   * @param {number} place of the page among all pages
   */
  #button(sheet, number, place) {
    const page = sheet.pages[number];
    const [file] = imageFiles(page);
    const image =
      file &&
      make("img", { attrs: { src: fileUrl(file), alt: "", loading: "lazy" }, on: { error: () => image.remove() } });
    const attrs = { "aria-label": text("page.of_sheet", { number: number + 1, name: sheet.name }) };
    return make(
      "button",
      { title: page.file?.filename ?? sheet.name, attrs, on: { click: () => this.viewer.goToPage(place) } },
      image,
      make("span", { text: String(number + 1) }),
    );
  }
}

/** @returns {import("./query.mjs").OrderNames} */
function orderNames() {
  return {
    sheet: text("order.sheet"),
    label: text("order.label"),
    file: text("order.file"),
    score: (name) => text("order.score", { name }),
  };
}

/** The toolbar over the cells: filter, order and size. */
export class CellsToolbar {
  isDescending = false;
  /** @type {[Order, ...Order[]]} */
  #orders = ordersOf([], orderNames());

  /**
   * @param {object} listeners
   * @param {() => void} listeners.onQuery the filter or the order has changed
   * @param {(side: number) => void} listeners.onSize of the cells, in pixels
   */
  constructor({ onQuery, onSize }) {
    this.onQuery = onQuery;
    this.filter = make("input", {
      cls: "clip-grid-filter",
      attrs: { type: "search", placeholder: text("cells.filter"), "aria-label": text("cells.filter_hint") },
      on: { input: onQuery },
    });
    this.select = make("select", { attrs: { "aria-label": text("cells.sort_by") }, on: { change: onQuery } });
    this.direction = make("button", {
      text: "↑",
      title: `${text("cells.direction")} (r)`,
      on: { click: () => this.reverse() },
    });
    this.size = make("input", {
      attrs: { type: "range", ...CELL_SIZE, "aria-label": text("cells.size_hint") },
      on: { input: () => onSize(Number(this.size.value)) },
    });
    this.count = make("span", { cls: "clip-grid-quiet", attrs: { role: "status" } });
    const sort = make("label", { text: `${text("cells.sort_by")} ` }, this.select);
    const size = make("label", { text: `${text("cells.size")} ` }, this.size);
    this.element = make("div", { cls: "clip-grid-cells-toolbar" }, this.filter, sort, this.direction, size, this.count);
  }

  get words() {
    return this.filter.value;
  }

  get order() {
    return this.#orders.find(({ id }) => id === this.select.value) ?? this.#orders[0];
  }

  /** @param {Sheet["cells"]} cells that are to be sorted */
  setCells(cells) {
    const { id: chosen } = this.order;
    this.#orders = ordersOf(cells, orderNames());
    this.select.replaceChildren(
      ...this.#orders.map(({ id, name }) =>
        make("option", { text: name, attrs: { value: id, selected: id === chosen } }),
      ),
    );
  }

  /**
   * @param {number} shown
   * @param {number} all
   */
  showCount(shown, all) {
    this.count.textContent = shown < all ? text("cells.some", { shown, all }) : text("cells.all", { count: all });
  }

  /** @returns {boolean} whether there was a filter */
  clearFilter() {
    if (!this.words) return false;
    this.filter.value = "";
    this.onQuery();
    return true;
  }

  reverse() {
    this.isDescending = !this.isDescending;
    this.direction.textContent = this.isDescending ? "↓" : "↑";
    this.onQuery();
  }

  /** @param {number} factor */
  resize(factor) {
    this.size.value = String(Number(this.size.value) * factor);
    this.size.dispatchEvent(new Event("input"));
  }
}
