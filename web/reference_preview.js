// @ts-check
/** Space in IP-Adapter Reference for the squares that the vision encoder sees, which ComfyUI draws below the widgets. */
import { app } from "../../scripts/app.js";
import { REFERENCE_NODE, callAfter, hasVueNodes } from "./lib/front_end.mjs";

/** ComfyUI's own widget, and its height. */
const PREVIEW = "$$canvas-image-preview";
const HEIGHT = 220;

app.registerExtension({
  name: "clip_grid.reference_preview",
  nodeCreated(node) {
    if (node.comfyClass !== REFERENCE_NODE) return;
    callAfter(node, "onExecuted", (output) => {
      // "Nodes 2.0" make the space themselves
      if (!output?.images?.length || hasVueNodes()) return;
      // the widget is made when the pictures are first drawn
      const preview = node.widgets?.some((widget) => widget.name === PREVIEW) ? 0 : HEIGHT;
      const height = node.computeSize()[1] + preview;
      if (node.size[1] < height) node.setSize([node.size[0], height]);
      node.graph?.setDirtyCanvas?.(true, true);
    });
  },
});
