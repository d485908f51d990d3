// @ts-check
/** Words that lead to our nodes in front ends that look for nodes by their names alone, as 1.27 does. */
import { app } from "../../scripts/app.js";
import { nodesMeantBy } from "./lib/search_words.mjs";

/** @typedef {{name: string}} NodeDefinition */
/** @typedef {(query: string, filters?: unknown[], options?: unknown, more?: unknown) => NodeDefinition[]} Search */

/**
 * The class of the node search, where it does not know other words by itself. Those front ends have no public way to it.
 * @returns {{searchNode: Search} | null}
 */
function searchOfNamesAlone() {
  const stores = /** @type {any} */ (app.extensionManager)?._p?._s;
  const service = stores?.get?.("nodeDef")?.nodeSearchService;
  const keys = service?.nodeFuseSearch?.keys;
  const looksAtNames = Array.isArray(keys) && !keys.includes("search_aliases");
  return looksAtNames && typeof service.searchNode === "function" ? Object.getPrototypeOf(service) : null;
}

app.registerExtension({
  name: "clip_grid.node_search",
  setup() {
    const service = searchOfNamesAlone();
    if (!service) return;
    const byName = service.searchNode;
    service.searchNode = /** @type {Search} */ function (query, filters = [], options, more) {
      const found = byName.call(this, query, filters, options, more);
      const meant = nodesMeantBy(query);
      if (!meant.size) return found;
      // an empty query finds all nodes that the filters let through
      const all = byName.call(this, "", filters, undefined, more);
      return [...found, ...all.filter((node) => meant.has(node.name) && !found.includes(node))];
    };
  },
});
