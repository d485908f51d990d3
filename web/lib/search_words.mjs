// @ts-check
/** The words beside its name by which a node is found: SEARCH_ALIASES of the node classes, as tests make sure. */

/** @type {Record<string, string[]>} */
export const SEARCH_WORDS = {
  ClipGrid_LabeledGridExporter: [
    "grid",
    "save grid",
    "save image grid",
    "image grid",
    "contact sheet",
    "xy plot",
    "xyz plot",
    "comparison grid",
    "montage",
    "collage",
    "caption",
    "labels",
    "clip labels",
    "heat map",
  ],
  ClipGrid_BatchLabeledGridExporter: [
    "grid",
    "save grid",
    "save image grid",
    "image grid",
    "contact sheet",
    "xy plot",
    "xyz plot",
    "comparison grid",
    "montage",
    "collage",
    "caption",
    "labels",
    "clip labels",
    "heat map",
    "folder",
    "directory",
  ],
  ClipGrid_GridTemplate: ["grid layout", "grid style", "grid preset"],
  ClipGrid_CLIPModelLoader: ["clip vision loader", "load clip", "siglip", "dinov2", "open_clip", "longclip"],
  ClipGrid_CLIPVisionEncode: ["clip vision encode", "image embeds", "image features", "siglip", "embedding"],
  ClipGrid_CLIPMatchScore: ["clip score", "similarity", "prompt match", "compare image and text", "image text score"],
  ClipGrid_CLIPLabel: ["tag", "caption", "classify", "zero-shot", "interrogate", "clip label", "tagger"],
  ClipGrid_RankImages: ["best of n", "filter", "rank", "sort images", "select best", "top k", "duplicates"],
  ClipGrid_IndexImages: [
    "index folder",
    "scan pictures",
    "image library",
    "embed folder",
    "clip index",
    "image database",
  ],
  ClipGrid_SearchImages: [
    "find images",
    "search pictures",
    "similar images",
    "image search",
    "semantic search",
    "gallery",
  ],
  ClipGrid_LearnFromFolder: [
    "train classifier",
    "few-shot",
    "linear probe",
    "custom labels",
    "image classifier",
    "teach clip",
  ],
  ClipGrid_LoadHead: ["load classifier", "custom labels", "linear probe", "head.safetensors"],
  ClipGrid_CLIPLoRA: ["load lora", "clip vision lora", "fine-tuned clip", "adapter", "finetune"],
};

/**
 * The nodes that a search means by these words: each word begins a word of one alias.
 * @param {string} query
 * @returns {Set<string>} ids of nodes
 */
export function nodesMeantBy(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const isMeant = (/** @type {string} */ alias) => {
    const parts = alias.split(/[\s-]+/);
    return words.every((word) => parts.some((part) => part.startsWith(word)));
  };
  const meant = Object.entries(SEARCH_WORDS).filter(([, aliases]) => words.length > 0 && aliases.some(isMeant));
  return new Set(meant.map(([id]) => id));
}
