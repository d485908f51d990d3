// @ts-check
/** The state of the index: how many pictures it has, how far an update is, and what went wrong. */
import { make } from "../dom.mjs";
import { messageOf } from "../files.mjs";
import { text } from "../texts.mjs";
import { button } from "./picture_view.mjs";
import { changeIndexing, readStatus } from "./requests.mjs";

/** @typedef {import("./requests.mjs").Status} Status */

/** Milliseconds between two looks at an update that runs. */
const LOOK = 1000;

export class IndexPanel {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Status | undefined} */
  status;
  #problem = "";
  #asked = 0;

  /** @param {() => void} changed called when an update has ended, and when the first status is known */
  constructor(changed) {
    this.changed = changed;
    this.element = make("div", { cls: "clip-grid-search-index" });
  }

  /** Whether an update is under way. */
  get isRunning() {
    return this.status !== undefined && this.status.indexing.state !== "idle";
  }

  /** Ask for the status, and again for as long as an update runs. */
  look() {
    return this.#after(readStatus());
  }

  /** Start an update. */
  update() {
    return this.#after(changeIndexing("update"));
  }

  /** Stop looking, as the tab is closed. */
  rest() {
    clearTimeout(this.#timer);
  }

  /** @param {Promise<Status>} answer */
  async #after(answer) {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const [asked, before] = [this.#asked, this.status];
    let [status, problem] = [before, ""];
    try {
      status = await answer;
    } catch (error) {
      problem = messageOf(error);
    }
    // a later answer says more, and a search for each would be one too many
    if (asked !== this.#asked) return;
    this.status = status;
    this.#problem = problem;
    if (this.isRunning) this.#timer = setTimeout(() => void this.look(), LOOK);
    this.#show();
    if (before?.indexing.ended !== this.status?.indexing.ended) this.changed();
  }

  #show() {
    const { status } = this;
    const problem = this.#problem || status?.indexing.error;
    const content = [
      problem && make("p", { cls: "clip-grid-search-error", text: problem, attrs: { role: "alert" } }),
      status?.note && noteElement(status.note),
      status && (this.isRunning ? this.#progress(status) : status.has_index && this.#held(status)),
    ];
    this.element.replaceChildren(...content.filter((one) => one instanceof Node));
  }

  /** @param {Status} status */
  #held({ pictures, failed = 0, failures = [] }) {
    const counts = make("span", { text: text("search.indexed", { count: pictures }) });
    const line = make(
      "div",
      { cls: "clip-grid-search-row" },
      counts,
      button(text("search.update"), () => void this.update(), { title: text("search.update_hint") }),
    );
    if (!failed) return line;
    const list = failures.map(({ path, reason }) => make("li", { text: `${path}: ${reason}` }));
    return make(
      "div",
      {},
      line,
      make("details", {}, make("summary", { text: text("search.failed", { count: failed }) }), make("ul", {}, ...list)),
    );
  }

  /** @param {Status} status */
  #progress({ indexing: { state, done, total, seconds } }) {
    const left = done > 4 ? text("search.left", { minutes: Math.ceil(((total - done) * seconds) / done / 60) }) : "";
    const words = {
      looking: text("search.looking"),
      paused: text("search.paused"),
      stopping: text("search.stopping"),
      running: [text("search.indexing", { done, total }), left].filter(Boolean).join(" · "),
      idle: "",
    }[state];
    const bar = make("progress", { attrs: total ? { value: done, max: total } : {} });
    const stop = button(text("search.stop"), () => void this.#after(changeIndexing("stop")), {
      isOff: state === "stopping",
    });
    return make(
      "div",
      { attrs: { role: "status" } },
      make("div", { cls: "clip-grid-search-row" }, make("span", { text: words }), stop),
      bar,
    );
  }
}

/**
 * A note, whose cure is unfolded by a click.
 * @param {string} note
 */
function noteElement(note) {
  const [first, ...cure] = note.split("; ");
  const summary = make("summary", { text: first });
  return make("details", { cls: "clip-grid-search-note" }, summary, make("p", { text: cure.join("; ") }));
}
