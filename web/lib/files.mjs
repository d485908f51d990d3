// @ts-check
/** Files that nodes wrote, from ComfyUI's /view: their addresses, JSON and images. */
import { api } from "../../../scripts/api.js";
import { text } from "./texts.mjs";

/** @typedef {{filename: string, subfolder?: string, type?: string}} FileEntry a file as /view finds it */

/**
 * The address of a file.
 * @param {FileEntry} entry
 * @returns {string} it may stand in CSS: quotes are escaped in it
 */
export function fileUrl({ filename, subfolder = "", type = "output" }) {
  return new URL(api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`), location.href).href;
}

/**
 * Whether browsers show images of this format.
 * @param {FileEntry} entry
 */
export function isWebImage({ filename }) {
  return /\.(png|jpe?g|webp|avif)$/i.test(filename);
}

/**
 * @param {FileEntry} a
 * @param {FileEntry} b
 */
export function isSameFile(a, b) {
  return a.filename === b.filename && (a.subfolder ?? "") === (b.subfolder ?? "") && a.type === b.type;
}

/**
 * The content of a JSON file. Throws an Error whose message tells the user what to do.
 * @param {FileEntry} entry
 * @returns {Promise<unknown>}
 */
export async function fetchJson(entry) {
  const response = await fetchFile(entry);
  try {
    return await response.json();
  } catch (error) {
    throw new Error(text("file.no_json", { name: entry.filename }), { cause: error });
  }
}

/**
 * The first of these images that can be loaded. Throws an Error whose message tells the user why there is none.
 * @param {FileEntry[]} entries
 * @returns {Promise<HTMLImageElement>}
 */
export async function loadImage(entries) {
  for (const entry of entries) {
    const image = new Image();
    image.src = fileUrl(entry);
    try {
      await image.decode();
      return image;
    } catch {
      // gone or no image: the next one may be there, and the reason is asked for below
    }
  }
  const [saved] = [...entries.filter((entry) => entry.type !== "temp"), ...entries];
  throw new Error(saved ? await whyNotShown(saved) : text("file.no_preview"));
}

/**
 * A file as it would be dropped on the page. Throws an Error whose message tells the user what to do.
 * @param {FileEntry} entry
 * @returns {Promise<File>}
 */
export async function fetchWhole(entry) {
  const blob = await (await fetchFile(entry)).blob();
  return new File([blob], entry.filename, { type: blob.type });
}

/**
 * @param {FileEntry} entry
 * @returns {Promise<string>}
 */
async function whyNotShown(entry) {
  try {
    const response = await fetchFile(entry);
    await response.body?.cancel();
    return text("file.not_shown", { name: entry.filename });
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * @param {FileEntry} entry
 * @returns {Promise<Response>}
 */
async function fetchFile(entry) {
  const response = await request(entry);
  if (response.ok) return response;
  const name = entry.filename;
  if (response.status !== 404) throw new Error(text("file.refused", { name, status: response.status }));
  throw new Error(entry.type === "temp" ? text("file.preview_gone", { name }) : text("file.gone", { name }));
}

/**
 * @param {FileEntry} entry
 * @returns {Promise<Response>}
 */
async function request(entry) {
  try {
    return await fetch(fileUrl(entry), { cache: "no-cache" });
  } catch (error) {
    throw new Error(text("file.no_server"), { cause: error });
  }
}

/**
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
