// @ts-check
/** One hit in full size, with its generation data and what can be done with it. */
import { app } from "../../../../scripts/app.js";
import { copyText, keepEvents, make } from "../dom.mjs";
import { fetchWhole, fileUrl, messageOf } from "../files.mjs";
import { notice } from "../front_end.mjs";
import { text } from "../texts.mjs";
import { readPicture } from "./requests.mjs";

/** @typedef {import("./requests.mjs").Hit} Hit */
/** @typedef {import("./requests.mjs").Known} Known */
/**
 * @typedef {object} Listeners
 * @property {(step: number) => Hit | undefined} go the hit so many places further
 * @property {(hit: Hit, weight: number) => void} like
 * @property {() => void} closed
 */

export class PictureView {
  /** @type {Hit | undefined} */
  #hit;

  /** @param {Listeners} listeners */
  constructor(listeners) {
    this.listeners = listeners;
    this.image = make("img", { cls: "clip-grid-search-picture" });
    this.details = make("aside", { cls: "clip-grid-search-details" });
    this.dialog = make(
      "dialog",
      { cls: "clip-grid clip-grid-search-view", attrs: { "aria-label": text("search.picture") } },
      make("div", { cls: "clip-grid-search-stage", on: { click: () => this.close() } }, this.image),
      this.details,
    );
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      listeners.closed();
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    keepEvents(this.dialog, "keydown", "keyup", "wheel", "copy", "paste", "pointerdown");
  }

  /**
   * Show a hit.
   * @param {Hit} hit
   */
  open(hit) {
    this.#hit = hit;
    if (!this.dialog.isConnected) {
      document.body.append(this.dialog);
      this.dialog.showModal();
    }
    this.image.src = fileUrl(hit.file);
    this.image.alt = hit.file.filename;
    this.#show(hit, null, "");
    readPicture(hit.id).then(
      (known) => this.#hit === hit && this.#show(hit, known, ""),
      (error) => this.#hit === hit && this.#show(hit, null, messageOf(error)),
    );
  }

  close() {
    this.dialog.close();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 });
    const step = event.target instanceof HTMLButtonElement ? 0 : steps[event.key];
    const hit = step && this.listeners.go(step);
    if (hit) {
      event.preventDefault();
      this.open(hit);
    }
  }

  /**
   * @param {Hit} hit
   * @param {Known | null} known null until it is read
   * @param {string} problem
   */
  #show(hit, known, problem) {
    const { filename, subfolder, type } = hit.file;
    const rows = Object.entries(known?.properties ?? {}).filter(([name]) => !LONG.has(name));
    const files = (known?.files ?? []).slice(1).map(pathOf).join(", ");
    const actions = [
      button(text("search.open_graph"), () => void this.#openGraph(hit), {
        isOff: !known?.has_graph,
        title: known && !known.has_graph ? text("search.no_graph") : "",
      }),
      button(text("search.like"), () => this.#like(hit, 1)),
      button(text("search.unlike"), () => this.#like(hit, -1)),
      button(text("search.close"), () => this.close(), { title: "Esc" }),
    ];
    const content = [
      make("h3", { text: filename }),
      quiet(`${[type, subfolder].filter(Boolean).join("/")} · ${hit.width} × ${hit.height}`),
      make("div", { cls: "clip-grid-search-actions" }, ...actions),
      problem && make("p", { cls: "clip-grid-search-error", text: problem }),
      ...[...LONG].map((name) => known?.properties[name] && prompt(name, known.properties[name])),
      rows.length > 0 && make("table", {}, ...rows.map(([name, value]) => row(name, value))),
      known && !Object.keys(known.properties).length && quiet(text("search.no_data")),
      files && quiet(text("search.also", { files })),
    ];
    this.details.replaceChildren(...content.filter((one) => one instanceof Node));
  }

  /**
   * @param {Hit} hit
   * @param {number} weight
   */
  #like(hit, weight) {
    this.close();
    this.listeners.like(hit, weight);
  }

  /** @param {Hit} hit */
  async #openGraph({ file }) {
    try {
      const whole = await fetchWhole(file);
      this.close();
      await app.handleFile(whole);
    } catch (error) {
      notice("error", text("search.not_opened"), messageOf(error));
    }
  }
}

/** Properties that are shown as texts, not in the table. */
const LONG = new Set(["prompt", "negative"]);

/**
 * @param {string} name
 * @param {string} value
 */
function prompt(name, value) {
  const copy = button(text("search.copy"), () => void copyText(value));
  return make(
    "section",
    {},
    make("h4", { text: name.replace("_", " ") }, copy),
    make("p", { cls: "clip-grid-search-prompt", text: value }),
  );
}

/** @param {string} content */
function quiet(content) {
  return make("p", { cls: "clip-grid-search-quiet", text: content });
}

/**
 * @param {string} name
 * @param {string} value
 */
function row(name, value) {
  return make("tr", {}, make("th", { text: name, attrs: { scope: "row" } }), make("td", { text: value }));
}

/** @param {import("../files.mjs").FileEntry} file */
function pathOf({ type, subfolder, filename }) {
  return [type, subfolder, filename].filter(Boolean).join("/");
}

/**
 * @param {string} label
 * @param {() => void} click
 * @param {{title?: string, isOff?: boolean, cls?: string}} [options]
 */
export function button(label, click, { title, isOff, cls } = {}) {
  return make("button", { cls, text: label, title, attrs: { type: "button", disabled: isOff }, on: { click } });
}
