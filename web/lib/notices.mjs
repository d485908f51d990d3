// @ts-check
/** Short notices in the corner of the page. */
import { app } from "../../../scripts/app.js";

/** @typedef {"success" | "info" | "warn" | "error"} Severity */

/** Milliseconds that a notice stays; people need longer for what went wrong. */
const LIFE = { success: 4000, info: 5000, warn: 9000, error: 12000 };

/**
 * Tell the user something: what it is about, and what to do.
 * @param {Severity} severity
 * @param {string} summary
 * @param {string} [detail]
 */
export function notice(severity, summary, detail = "") {
  app.extensionManager?.toast?.add({ severity, summary, detail, life: LIFE[severity] });
}
