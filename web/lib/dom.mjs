// @ts-check
/** Elements of a page, the style sheet, and the clipboard. Data becomes text, never markup. */

/** @typedef {string | number | boolean | null | undefined} Attribute true sets an empty one; false and nothing none */
/** @typedef {HTMLElementEventMap} Events */

/**
 * @typedef {object} Options
 * @property {string} [cls] class names
 * @property {string} [text]
 * @property {string} [title]
 * @property {Record<string, Attribute>} [attrs]
 * @property {Record<string, string | number>} [data]
 * @property {Record<string, string>} [style] CSS names, custom properties too
 * @property {{[Type in keyof Events]?: (event: Events[Type]) => void}} [on] listeners by event
 */

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Options} [options]
 * @param {...(Node | string | null | undefined | false)} children those that are empty are left out
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  if (options.cls) element.className = options.cls;
  if (options.text !== undefined) element.textContent = options.text;
  if (options.title) element.title = options.title;
  for (const [name, value] of Object.entries(options.attrs ?? {})) {
    if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const [name, value] of Object.entries(options.data ?? {})) element.dataset[name] = String(value);
  for (const [name, value] of Object.entries(options.style ?? {})) element.style.setProperty(name, value);
  for (const [type, listener] of Object.entries(options.on ?? {})) {
    element.addEventListener(type, /** @type {EventListener} */ (listener));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Keep events of an element from the graph's canvas, which has keys, gestures and a clipboard of its own.
 * @param {HTMLElement} element
 * @param {...keyof Events} types
 */
export function keepEvents(element, ...types) {
  for (const type of types) element.addEventListener(type, (event) => event.stopPropagation());
}

/**
 * Add clip_grid.css to the page, and the style sheet of a part that has its own; each once.
 * @param {...string} parts
 */
export function loadStyles(...parts) {
  for (const name of ["clip_grid", ...parts]) {
    const id = `clip-grid-styles-${name}`;
    if (document.getElementById(id)) continue;
    const href = new URL(`../${name}.css`, import.meta.url).href;
    document.head.append(make("link", { attrs: { id, rel: "stylesheet", href } }));
  }
}

/**
 * Copy a text to the clipboard.
 * @param {string} text
 * @returns {Promise<boolean>} false where the browser does not allow it
 */
export async function copyText(text) {
  // browsers have no clipboard on plain http pages of other machines
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed: the older command below may be
    }
  }
  return copySelection(text);
}

/**
 * @param {string} text
 * @returns {boolean}
 */
function copySelection(text) {
  const focused = document.activeElement;
  const area = make("textarea", { style: { position: "fixed", top: "-99px", opacity: "0" } });
  area.value = text;
  // beside a modal dialog nothing can be selected
  (focused?.closest("dialog") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
