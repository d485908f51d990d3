// As much of ComfyUI's app.js as an extension sees: hooks in ComfyUI's order, nodes from the real definitions.
import { Graph, Node } from "../graph.js";
import { ExtensionManager } from "../manager.js";
import { api } from "./api.js";

class App {
  extensions = [];
  rootGraph = new Graph();
  extensionManager = new ExtensionManager();
  api = api;
  nodeOutputs = {};
  nodeDefs = {};
  #types = new Map();

  /** The names and sizes of files whose workflow was opened. */
  handled = [];

  get graph() { return this.rootGraph; }

  /** @param {File} file */
  async handleFile(file) { this.handled.push([file.name, file.type, file.size]); }

  canvas = {
    canvas: document.getElementById("graph-canvas"), selectedItems: new Set(), setDirty() {}, draw() {},
    get selected_nodes() { return Object.fromEntries([...this.selectedItems].map((node) => [node.id, node])); },
    ds: { scale: 1, offset: [0, 0] }, graph: this.rootGraph,
    convertEventToCanvasOffset: (event) => [event.clientX, event.clientY],
  };

  /** @param {any} extension */
  registerExtension(extension) {
    if (!extension.name) throw new Error("an extension without a name");
    if (this.extensions.some((one) => one.name === extension.name)) throw new Error(`two extensions ${extension.name}`);
    this.extensions.push(extension);
    this.extensionManager.register(extension);
  }

  /** @param {string} hook @param {...any} args */
  call(hook, ...args) {
    for (const extension of this.extensions) extension[hook]?.(...args, this);
  }

  async start() {
    const files = await (await api.fetchApi("/extensions")).json();
    for (const file of files) await import(file);
    this.nodeDefs = await (await api.fetchApi("/object_info")).json();
    for (const extension of this.extensions) await extension.init?.(this);
    for (const extension of this.extensions) await extension.addCustomNodeDefs?.(this.nodeDefs, this);
    for (const [id, def] of Object.entries(this.nodeDefs)) {
      const type = class extends Node { static nodeData = def; };
      for (const extension of this.extensions) await extension.beforeRegisterNodeDef?.(type, def, this);
      this.#types.set(id, type);
    }
    for (const extension of this.extensions) await extension.setup?.(this);
    api.addEventListener("executed", (event) => this.#executed(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {any} detail */
  #executed({ display_node, node, output }) {
    const id = display_node ?? node;
    this.nodeOutputs[id] = output;
    this.rootGraph.getNodeById(id)?.onExecuted?.(output);
    this.call("onNodeOutputsUpdated", this.nodeOutputs);
  }

  /** @param {string} type */
  #make(type) {
    const node = new (this.#types.get(type))(type, this.nodeDefs[type]);
    this.call("nodeCreated", node);
    return node;
  }

  /** @param {string} type */
  add(type) {
    const node = this.#make(type);
    this.rootGraph.add(node);
    return node;
  }

  /** @param {any} saved */
  async loadGraphData(saved) {
    this.call("beforeConfigureGraph", saved, []);
    this.rootGraph.clear();
    this.nodeOutputs = {};
    this.rootGraph.links = new Map((saved.links ?? []).map((link) => [link.id, link]));
    this.rootGraph.extra = saved.extra ?? {};
    for (const one of saved.nodes) {
      const node = this.#make(one.type);
      node.id = one.id;
      this.rootGraph.add(node);
      node.configure(structuredClone(one));
    }
    for (const node of this.rootGraph.nodes) this.call("loadedGraphNode", node);
    this.call("afterConfigureGraph", []);
  }

  async graphToPrompt() {
    const output = {};
    for (const node of this.rootGraph.nodes) {
      const inputs = {};
      for (const widget of node.widgets) {
        if (widget.options?.serialize === false) continue;
        inputs[widget.name] = widget.serializeValue ? await widget.serializeValue(node, node.widgets.indexOf(widget)) : widget.value;
      }
      for (const input of node.inputs) {
        const link = this.rootGraph.getLink(input.link);
        if (link) inputs[input.name] = [String(link.origin_id), link.origin_slot];
      }
      output[node.id] = { class_type: node.type, inputs };
    }
    return { workflow: this.rootGraph.serialize(), output };
  }

  async queuePrompt() {
    const { workflow, output } = await this.graphToPrompt();
    const body = JSON.stringify({ client_id: api.clientId, prompt: output, extra_data: { extra_pnginfo: { workflow } } });
    return (await api.fetchApi("/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body })).ok;
  }
}

export const app = new App();
