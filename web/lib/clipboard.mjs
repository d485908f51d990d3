// @ts-check
/** Text to the clipboard. */
import { make } from "./dom.mjs";

/**
 * Throws an Error that says the cure.
 * @param {string} text
 */
export async function copyText(text) {
  // browsers have no clipboard on plain http pages of other machines
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // not allowed: the older way may be
    }
  }
  if (!copyOldWay(text)) throw new Error("the browser does not allow it; allow access to the clipboard for this page");
}

/**
 * @param {string} text
 * @returns {boolean}
 */
function copyOldWay(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = make("textarea", { style: { position: "fixed", top: "-99px", opacity: "0" } });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus?.();
  return isCopied;
}
