// @ts-check
/** What an error of a run says to the user. */

/** Longer messages are cut: the notice is for reading, the whole text is in ComfyUI's own report. */
const MOST = 600;

/**
 * The failure that an event tells; null if no node of ours failed.
 * @param {any} detail of "execution_error"
 * @param {string} title of the node, empty if it is not known
 * @returns {{key: string, summary: string, detail: string} | null}
 */
export function failureOf(detail, title) {
  if (!String(detail?.node_type ?? "").startsWith("ClipGrid_")) return null;
  const message = String(detail.exception_message ?? "").trim() || String(detail.exception_type ?? "no reason was given");
  const short = message.length > MOST ? `${message.slice(0, MOST)}…` : message;
  const name = title || String(detail.node_type).replace("ClipGrid_", "");
  return { key: `${detail.prompt_id}/${detail.node_id}`, summary: `${name} stopped`, detail: sentence(short) };
}

/**
 * @param {string} text
 * @returns {string} with a capital letter, unless it begins with a name or path
 */
function sentence(text) {
  return /^[a-z]+ /.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
}
