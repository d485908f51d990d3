// @ts-check
/** Elements of a page, and the one style sheet. Data becomes text, never markup. */

/**
 * @typedef {object} Given
 * @property {string} [cls] class names
 * @property {string} [text]
 * @property {string} [title]
 * @property {Record<string, string | number | boolean | null | undefined>} [attrs] true sets an empty attribute; false, null and undefined none
 * @property {Record<string, string | number>} [data]
 * @property {Record<string, string>} [style] CSS names, custom properties too
 * @property {Record<string, (event: any) => void>} [on]
 */

/**
 * An element with what it is given.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Given} [given]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  if (given.cls) element.className = given.cls;
  if (given.text !== undefined) element.textContent = given.text;
  if (given.title) element.title = given.title;
  setAttributes(element, given.attrs ?? {});
  for (const [name, value] of Object.entries(given.data ?? {})) element.dataset[name] = String(value);
  for (const [name, value] of Object.entries(given.style ?? {})) element.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(given.on ?? {})) element.addEventListener(name, listener);
  element.append(...children.filter(isShown));
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, string | number | boolean | null | undefined>} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Adds clip_grid.css to the page, once. */
export function loadStyles() {
  if (document.getElementById(STYLES)) return;
  const href = new URL("../clip_grid.css", import.meta.url).href;
  document.head.append(make("link", { attrs: { id: STYLES, rel: "stylesheet", href } }));
}

const STYLES = "clip-grid-styles";

/**
 * @param {Node | string | null | undefined | false} child
 * @returns {child is Node | string}
 */
function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}
