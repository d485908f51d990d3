// @ts-check
/** What the user set on ComfyUI's settings page. */
import { app } from "../../../scripts/app.js";

/**
 * A setting of ours, or the fallback where it is not known.
 * @template T
 * @param {string} id
 * @param {T} fallback
 * @returns {T}
 */
export function setting(id, fallback) {
  try {
    return app.extensionManager?.setting?.get(id) ?? fallback;
  } catch {
    // front ends differ in what they do about an id that is not registered
    return fallback;
  }
}
