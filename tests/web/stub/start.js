// Starts the page, and what tests do with it: window.stub.
import { api } from "./scripts/api.js";
import { app } from "./scripts/app.js";

let saved = null;

const stub = {
  app,
  api,

  /** A node of that type; answers its id. @param {string} type */
  add: (type) => app.add(type).id,

  /** What the server sends when a node is done. @param {string} id @param {any} output */
  finish: (id, output) => api.dispatchCustomEvent("executed", { node: id, display_node: id, output, prompt_id: "run" }),

  /** The workflow as it is saved. */
  workflow: () => app.rootGraph.serialize(),

  /** Go to another tab and back; the page remembers the outputs. */
  async switchTab() {
    saved = { workflow: app.rootGraph.serialize(), outputs: structuredClone(app.nodeOutputs) };
    await app.loadGraphData({ nodes: [] });
    await app.loadGraphData(saved.workflow);
    app.nodeOutputs = saved.outputs;
    app.call("onNodeOutputsUpdated", app.nodeOutputs);
  },

  /** Open a tab of the sidebar; the front end may call render again with the same element. @param {string} id */
  openTab(id) {
    const sidebar = document.getElementById("sidebar");
    sidebar.hidden = false;
    for (let i = 0; i < 2; i += 1) app.extensionManager.sidebarTabs.find((one) => one.id === id).render(sidebar);
  },

  /** Close it. @param {string} id */
  closeTab(id) {
    app.extensionManager.sidebarTabs.find((one) => one.id === id).destroy();
    const sidebar = document.getElementById("sidebar");
    sidebar.replaceChildren();
    sidebar.hidden = true;
  },

  /** The combos of keys that extensions ask for, carried out as ComfyUI does. @param {KeyboardEvent} event */
  key(event) {
    const same = (combo) => combo.key.toLowerCase() === event.key.toLowerCase() && !!combo.ctrl === event.ctrlKey && !!combo.alt === event.altKey && !!combo.shift === event.shiftKey;
    const binding = app.extensions.flatMap((extension) => extension.keybindings ?? []).find((one) => same(one.combo));
    if (binding) app.extensionManager.command.execute(binding.commandId);
  },
};

Object.assign(window, { stub, app });
window.addEventListener("keydown", stub.key);
await app.start();
document.documentElement.dataset.ready = "yes";
