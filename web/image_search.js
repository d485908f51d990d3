// @ts-check
/** The tab in the sidebar that finds pictures of ComfyUI's folders, and new pictures that go into its index. */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { setting } from "./lib/front_end.mjs";
import { changeIndexing, readStatus } from "./lib/search/requests.mjs";
import { SearchTab } from "./lib/search/tab.mjs";
import { loadTexts, text } from "./lib/texts.mjs";

/** @typedef {{output?: {images?: {type?: string}[]} | null}} Executed the detail of "executed", as far as it is read */

/** @type {SearchTab | undefined} made when it is first opened */
let tab;
/** Whether the workflow that runs has saved a picture. */
let hasSaved = false;

/** Have new pictures indexed, if there is an index. */
async function indexSaved() {
  if (!hasSaved || !setting("ClipGrid.IndexNewPictures", true)) return;
  hasSaved = false;
  try {
    if (tab?.index.status?.has_index) await tab.index.update();
    else if ((await readStatus()).has_index) await changeIndexing("update");
  } catch (error) {
    console.warn("CLIP Grid: new pictures are indexed at the next update", error);
  }
}

app.registerExtension({
  name: "clip_grid.image_search",
  init: loadTexts,
  settings: [
    {
      id: "ClipGrid.IndexNewPictures",
      category: ["CLIP Grid", "Search", "IndexNewPictures"],
      name: "Add new pictures to the index of the search",
      tooltip: "After each workflow that saves pictures, once there is an index",
      type: "boolean",
      defaultValue: true,
    },
  ],
  setup() {
    app.extensionManager?.registerSidebarTab?.({
      id: "clip_grid.image_search",
      icon: "pi pi-search",
      title: text("search.title"),
      tooltip: text("search.tooltip"),
      type: "custom",
      render(container) {
        tab ??= new SearchTab();
        tab.render(container);
      },
      destroy: () => tab?.destroy(),
    });
    api.addEventListener("executed", ({ detail }) => {
      const { output } = /** @type {Executed} */ (detail ?? {});
      hasSaved ||= output?.images?.some((image) => image?.type === "output") ?? false;
    });
    api.addEventListener("execution_success", () => void indexSaved());
  },
});
