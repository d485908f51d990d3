// Nodes and their graph, with the calls of litegraph that are documented.

const SERVED_AS_WIDGET = ["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"];

export class Node {
  /** @param {string} type @param {any} def */
  constructor(type, def) {
    Object.assign(this, { id: -1, type, comfyClass: type, title: def.display_name ?? type, graph: null, flags: {}, mode: 0 });
    Object.assign(this, { properties: {}, widgets: [], inputs: [], outputs: [], pos: [0, 0], size: [420, 300] });
    this.element = document.createElement("div");
    this.element.className = "node";
    this.element.append(Object.assign(document.createElement("h3"), { textContent: this.title }));
    for (const [name, spec] of Object.entries({ ...def.input?.required, ...def.input?.optional })) this.#addInput(name, spec);
    for (const type of def.output ?? []) this.outputs.push({ name: type, type, links: [] });
  }

  /** @param {string} name @param {any} spec */
  #addInput(name, spec) {
    const [socket, options = {}] = spec;
    const type = options.widgetType ?? socket;
    const values = Array.isArray(type) ? type : options.options;
    const isWidget = values || SERVED_AS_WIDGET.includes(type);
    if (isWidget && !options.forceInput) {
      this.addWidget(values ? "combo" : type.toLowerCase(), name, options.default ?? values?.[0] ?? "", null, { ...options, values });
    }
    this.inputs.push({ name, type: values ? "COMBO" : socket, link: null, ...(isWidget ? { widget: { name } } : {}) });
  }

  /** @param {string} type @param {string} name @param {any} value @param {any} callback @param {any} [options] */
  addWidget(type, name, value, callback, options = {}) {
    const widget = { type, name, value, callback, options, node: this };
    this.widgets.push(widget);
    return widget;
  }

  /** @param {string} name @param {string} type @param {HTMLElement} element @param {any} [options] */
  addDOMWidget(name, type, element, options = {}) {
    const widget = {
      name, type, element, options, node: this, callback: undefined,
      get value() { return options.getValue?.(); },
      set value(value) { options.setValue?.(value); this.callback?.(value); },
    };
    this.element.append(element);
    this.widgets.push(widget);
    return widget;
  }

  addProperty(name, value) { this.properties[name] = value; }
  setProperty(name, value) { this.properties[name] = value; }
  setSize(size) { this.size = [...size]; this.onResize?.(this.size); }
  /** As LiteGraph: hidden widgets need no room. */
  isWidgetVisible(widget) { return !widget.hidden && !(widget.advanced && !this.showAdvanced); }
  computeSize() {
    const shown = this.widgets.filter((widget) => this.isWidgetVisible(widget));
    const heights = shown.map((widget) => widget.computeSize?.()[1] ?? widget.options?.getMinHeight?.() ?? 20);
    return [this.size[0], 60 + heights.reduce((sum, height) => sum + height + 4, 0)];
  }
  setDirtyCanvas() {}
  isInputConnected(slot) { return this.inputs[slot]?.link != null; }
  findInputSlot(name) { return this.inputs.findIndex((input) => input.name === name); }
  getInputNode(slot) { return this.graph.getNodeById(this.graph.getLink(this.inputs[slot]?.link)?.origin_id) ?? null; }
  getInputLink(slot) { return this.graph.getLink(this.inputs[slot]?.link) ?? null; }
  isOutputConnected(slot) { return this.outputs[slot]?.links.length > 0; }
  getOutputNodes(slot) { return this.outputs[slot].links.map((link) => this.graph.getNodeById(this.graph.getLink(link).target_id)); }

  /** @param {number} slot @param {Node} target @param {string} name */
  connect(slot, target, name) {
    const target_slot = target.findInputSlot(name);
    const link = { id: ++this.graph.lastLink, origin_id: this.id, origin_slot: slot, target_id: target.id, target_slot };
    this.graph.links.set(link.id, link);
    this.outputs[slot].links.push(link.id);
    target.inputs[target_slot].link = link.id;
    target.onConnectionsChange?.(1, target_slot, true, link, target.inputs[target_slot]);
    return link;
  }

  serialize() {
    const saving = this.widgets.filter((widget) => widget.serialize !== false);
    const saved = { id: this.id, type: this.type, showAdvanced: this.showAdvanced, pos: this.pos, size: this.size, mode: this.mode, properties: this.properties, widgets_values: saving.map((widget) => widget.value) };
    this.onSerialize?.(saved);
    return JSON.parse(JSON.stringify(saved));
  }

  /** @param {any} saved */
  configure(saved) {
    this.properties = { ...this.properties, ...saved.properties };
    if (saved.size) this.size = [...saved.size];
    if (saved.showAdvanced !== undefined) this.showAdvanced = saved.showAdvanced;
    const saving = this.widgets.filter((widget) => widget.serialize !== false);
    saving.forEach((widget, place) => { if (place < (saved.widgets_values?.length ?? 0)) widget.value = saved.widgets_values[place]; });
    this.onConfigure?.(saved);
  }
}

export class Graph {
  nodes = [];
  links = new Map();
  lastLink = 0;
  extra = {};
  isRootGraph = true;

  get _nodes() { return this.nodes; }
  getNodeById(id) { return this.nodes.find((node) => String(node.id) === String(id)) ?? null; }
  getLink(id) { return this.links.get(id) ?? null; }
  setDirtyCanvas() {}
  change() {}

  /** @param {any} node */
  add(node) {
    // newer front ends count in strings
    if (node.id === -1) node.id = String(1 + Math.max(0, ...this.nodes.map((one) => Number(one.id) || 0)));
    node.graph = this;
    this.nodes.push(node);
    document.getElementById("nodes")?.append(node.element);
    node.onAdded?.(this);
  }

  /** @param {any} node */
  remove(node) {
    this.nodes = this.nodes.filter((one) => one !== node);
    node.onRemoved?.();
    for (const widget of node.widgets) widget.onRemove?.();
    node.element.remove();
    node.graph = null;
  }

  clear() { for (const node of [...this.nodes]) this.remove(node); }
  serialize() { return { nodes: this.nodes.map((node) => node.serialize()), links: [...this.links.values()], extra: this.extra }; }
}
