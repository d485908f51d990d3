// @ts-check
/** Pictures that are dragged out of the tab: onto nodes that load images, and onto the canvas. */
import { app } from "../../../../scripts/app.js";
import { fileUrl, messageOf } from "../files.mjs";
import { notice } from "../front_end.mjs";
import { text } from "../texts.mjs";

/** @typedef {import("./requests.mjs").Hit} Hit */

/** Marks what is dragged out of the tab, so that it is not taken for a picture that is dropped on it. */
export const OWN_TYPE = "application/x-clip-grid-picture";

/**
 * Drag a picture as its address, as nodes that load images and the canvas take it.
 * @param {DragEvent} event
 * @param {Hit} hit
 */
export function offer(event, { id, file }) {
  const { dataTransfer: data } = event;
  if (!data) return;
  const url = fileUrl(file);
  data.setData("text/uri-list", url);
  data.setData("text/plain", url);
  data.setData(
    "application/x-comfy-asset-info",
    JSON.stringify({ ...file, display_name: file.filename, preview_url: url, media_url: url }),
  );
  data.setData(OWN_TYPE, String(id));
  data.effectAllowed = "copy";
  // adding the same function again changes nothing
  document.addEventListener("drop", giveFile, { capture: true });
}

/**
 * Hand the file to a node that takes files but no addresses, as nodes of front end 1.27 do; the front end would open the
 * picture's workflow instead.
 * @param {DragEvent} event
 */
async function giveFile(event) {
  const { dataTransfer: data } = event;
  const node = data?.types.includes(OWN_TYPE) ? nodeAt(event) : null;
  if (!node?.onDragDrop || node.onDragOver?.(event)) return;
  event.preventDefault();
  event.stopPropagation();
  const url = data?.getData("text/uri-list") ?? "";
  const name = new URL(url).searchParams.get("filename") ?? "picture";
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(text("file.gone", { name }));
    const blob = await response.blob();
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], name, { type: blob.type }));
    node.onDragDrop(new DragEvent("drop", { dataTransfer }));
  } catch (error) {
    notice("error", text("search.not_loaded"), messageOf(error));
  }
}

/** @param {DragEvent} event */
function nodeAt(event) {
  const { canvas } = app;
  if (!canvas?.convertEventToCanvasOffset || !event.composedPath().includes(canvas.canvas)) return null;
  const [x, y] = canvas.convertEventToCanvasOffset(event);
  return canvas.graph?.getNodeOnPos?.(x, y) ?? null;
}
