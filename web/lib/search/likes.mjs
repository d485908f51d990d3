// @ts-check
/** The pictures of a query, each with a sign that is turned by a click. */
import { make } from "../dom.mjs";
import { text } from "../texts.mjs";
import { button } from "./picture_view.mjs";

/** @typedef {import("./requests.mjs").Part} Part */
/** @typedef {{part: Part, name: string, thumbnail: string}} Like a picture; `thumbnail`: its address */

export class Likes {
  /** @type {Like[]} */
  #all = [];

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.element = make("div", { cls: "clip-grid-search-chips" });
  }

  /** As parts of a query. */
  get parts() {
    return this.#all.map(({ part }) => part);
  }

  /**
   * Search with another picture too.
   * @param {Like} like
   */
  add(like) {
    this.#set([...this.#all.filter(({ part }) => !part.id || part.id !== like.part.id), like]);
  }

  /** @param {Like[]} all */
  #set(all) {
    this.#all = all;
    this.element.replaceChildren(...all.map((like) => this.#chip(like)));
    this.changed();
  }

  /** @param {Like} like */
  #chip(like) {
    const isMinus = (like.part.weight ?? 1) < 0;
    const hint = isMinus ? text("search.is_unlike") : text("search.is_like");
    return make(
      "span",
      { cls: "clip-grid-search-chip", title: like.name },
      button(isMinus ? "−" : "+", () => this.#turn(like), { title: hint }),
      make("img", { attrs: { src: like.thumbnail, alt: "" } }),
      make("span", { text: like.name }),
      button("×", () => this.#remove(like), { title: text("search.remove") }),
    );
  }

  /** @param {Like} like */
  #turn(like) {
    const part = { ...like.part, weight: -(like.part.weight ?? 1) };
    this.#set(this.#all.map((one) => (one === like ? { ...like, part } : one)));
  }

  /** @param {Like} like */
  #remove(like) {
    if (like.thumbnail.startsWith("blob:")) URL.revokeObjectURL(like.thumbnail);
    this.#set(this.#all.filter((one) => one !== like));
  }
}
