// @ts-check
/** A place where pictures are dropped: from the file system, or from elsewhere on ComfyUI's page. */
import { OWN_TYPE } from "./drag_out.mjs";

export class DropTarget {
  /**
   * @param {HTMLElement} element
   * @param {(file: Blob, name: string) => void} onPicture
   */
  constructor(element, onPicture) {
    this.element = element;
    this.onPicture = onPicture;
    element.addEventListener("dragover", (event) => this.#over(event));
    element.addEventListener("dragleave", () => delete element.dataset.drop);
    element.addEventListener("drop", (event) => void this.#drop(event));
  }

  /** @param {DragEvent} event */
  #over(event) {
    // ComfyUI would open the picture's workflow
    event.preventDefault();
    event.stopPropagation();
    if (!event.dataTransfer?.types.includes(OWN_TYPE)) this.element.dataset.drop = "true";
  }

  /** @param {DragEvent} event */
  async #drop(event) {
    event.preventDefault();
    event.stopPropagation();
    delete this.element.dataset.drop;
    const data = event.dataTransfer;
    if (!data || data.types.includes(OWN_TYPE)) return;
    const [file] = data.files;
    if (file) this.onPicture(file, file.name);
    else await this.#fetchDropped(data.getData("text/uri-list").split(/\r?\n/)[0]);
  }

  /** @param {string} address of a picture on ComfyUI's own server; others are left alone */
  async #fetchDropped(address) {
    const url = URL.canParse(address) ? new URL(address) : null;
    if (url?.origin !== location.origin) return;
    const response = await fetch(url);
    if (response.ok) this.onPicture(await response.blob(), url.searchParams.get("filename") ?? "picture");
  }
}
