// @ts-check
/** The line in which the viewer tells something: ComfyUI's notices are behind it. */
import { make } from "../dom.mjs";

/** Milliseconds that a text stays. */
const LIFE = 6000;

export class Status {
  element = make("div", { cls: "clip-grid-status", attrs: { role: "status", "aria-live": "polite" } });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  end;

  /**
   * The same thing is told once.
   * @param {string} text
   */
  say(text) {
    if (this.element.textContent === text) return;
    this.clear();
    this.element.textContent = text;
    this.end = setTimeout(() => this.clear(), LIFE);
  }

  clear() {
    clearTimeout(this.end);
    this.element.textContent = "";
  }
}
