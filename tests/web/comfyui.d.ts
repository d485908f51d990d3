/** The parts of ComfyUI's front end that the extensions use, as far as they use them. */

declare module "*/scripts/app.js" {
  /** A control of a node; its value is saved with the workflow and sent with the prompt. */
  export interface Widget {
    name: string;
    value: unknown;
    /** False keeps the value out of the workflow; false in the options keeps it out of the prompt. */
    serialize?: boolean;
    options?: { serialize?: boolean; advanced?: boolean; values?: unknown };
    /** Whether it is only shown in nodes with `showAdvanced`. */
    advanced?: boolean;
    /** Width and height; widgets that have none have the usual height. */
    computeSize?(width?: number): [width: number, height: number];
    callback?(value: unknown, canvas?: Canvas, node?: GraphNode): void;
  }

  interface InputSlot {
    name: string;
  }

  /** What the server says of a node's class at /object_info. */
  interface NodeDefinition {
    input?: { required?: Record<string, unknown>; optional?: Record<string, unknown> };
  }

  /** Sizes are in pixels of the node's own scale. */
  interface ElementOptions {
    serialize?: boolean;
    /** Whether "Nodes 2.0" leave it out. */
    readonly hidden?: boolean;
    hideOnZoom?: boolean;
    margin?: number;
    getMinHeight?(): number;
    getMaxHeight?(): number;
    getHeight?(): number;
    getValue?(): string;
    setValue?(value: string): void;
  }

  export interface GraphNode {
    constructor: Function & { nodeData?: NodeDefinition };
    comfyClass: string;
    title: string;
    size: [width: number, height: number];
    graph: Graph | null;
    properties: Record<string, unknown>;
    widgets?: Widget[];
    inputs?: InputSlot[];
    /** Saved with the workflow by ComfyUI. */
    showAdvanced?: boolean;
    toggleAdvanced?(): void;
    /** "Nodes 2.0" show no images of the output. */
    hideOutputImages?: boolean;
    /** What the menu entries Open, Save and Copy Image act on. */
    imgs?: HTMLImageElement[];
    imageIndex?: number | null;
    overIndex?: number | null;
    previewMediaType?: string;
    /** Shows the images of the output on the canvas. */
    onDrawBackground?(...args: unknown[]): void;
    /** After the user asked for new lists of files. */
    refreshComboInNode?(definitions: Record<string, NodeDefinition>): void;
    addDOMWidget(name: string, type: string, element: HTMLElement, options: ElementOptions): Widget;
    computeSize(): [width: number, height: number];
    setSize(size: [width: number, height: number]): void;
    isInputConnected(slot: number): boolean;
    getInputNode(slot: number): GraphNode | null;
    /** Whether the node takes what is dragged over it; front end 1.27 takes files alone. */
    onDragOver?(event: DragEvent): boolean | undefined;
    onDragDrop?(event: DragEvent): unknown;
    /** After a run, with the node's `ui`; the front end also calls it on the node of the same id in another tab. */
    onExecuted?(output: Record<string, unknown[]> | null | undefined): void;
    /** After the node was restored from a workflow. */
    onConfigure?(saved: unknown): void;
    onConnectionsChange?(...change: unknown[]): void;
    onWidgetChanged?(...change: unknown[]): void;
    onRemoved?(): void;
    /** The nodes inside a node that stands for a subgraph. */
    subgraph?: Graph;
  }

  interface Graph {
    nodes: GraphNode[];
    /** Graphs inside the nodes of the root graph, by their id. */
    subgraphs?: Map<string, Graph>;
    getNodeById(id: string | number): GraphNode | null;
    getNodeOnPos?(x: number, y: number): GraphNode | null;
    /** Changes between these two are one step of undo. */
    beforeChange?(): void;
    afterChange?(): void;
    setDirtyCanvas?(foreground: boolean, background: boolean): void;
  }

  interface Canvas {
    canvas: HTMLCanvasElement;
    /** The graph that is shown: the root graph or a subgraph. */
    graph?: Graph | null;
    convertEventToCanvasOffset?(event: MouseEvent): [x: number, y: number];
    selectedItems: Set<GraphNode | object>;
    setDirty(foreground: boolean, background: boolean): void;
  }

  interface ExtensionManager {
    setting: { get(id: string): unknown };
    toast?: { add(notice: { severity: string; summary: string; detail: string; life: number }): void };
    registerSidebarTab?(tab: SidebarTab): void;
    workflow?: { activeWorkflow?: { changeTracker?: ChangeTracker } | null };
  }

  interface SidebarTab {
    id: string;
    icon: string;
    title: string;
    tooltip: string;
    type: "custom";
    /** May be called again with the same element. */
    render(container: HTMLElement): void;
    destroy(): void;
  }

  /** Notices changes of a workflow; `checkState` is the name before front end 1.40. */
  interface ChangeTracker {
    captureCanvasState?(): void;
    checkState?(): void;
  }

  interface Setting {
    id: string;
    name: string;
    type: "boolean" | "combo" | "slider";
    defaultValue: unknown;
    /** The parts of the settings page from outside to inside. */
    category: string[];
    tooltip?: string;
    attrs?: Record<string, number>;
    options?: { text: string; value: string }[];
    onChange?(value: unknown): void;
  }

  interface Command {
    id: string;
    label: string;
    menubarLabel: string;
    icon: string;
    function(): unknown;
  }

  interface Extension {
    name: string;
    settings?: Setting[];
    commands?: Command[];
    keybindings?: { commandId: string; combo: { key: string; shift?: boolean } }[];
    menuCommands?: { path: string[]; commands: string[] }[];
    aboutPageBadges?: { label: string; url: string; icon: string }[];
    /** Awaited before any node is created. */
    init?(): Promise<void> | void;
    setup?(): Promise<void> | void;
    nodeCreated?(node: GraphNode): void;
    loadedGraphNode?(node: GraphNode): void;
    /** Outputs of all nodes by their locator, after a run and after a change of tabs. */
    onNodeOutputsUpdated?(outputs: Record<string, Record<string, unknown[]>>): void;
    getNodeMenuItems?(node: GraphNode): { content: string; callback(): void }[];
    getSelectionToolboxCommands?(item: GraphNode): string[];
  }

  export const app: {
    canvas?: Canvas;
    rootGraph?: Graph;
    /** The name of the root graph in older front ends. */
    graph?: Graph;
    extensionManager?: ExtensionManager;
    registerExtension(extension: Extension): void;
    queuePrompt(position: number): Promise<unknown>;
    /** Opens the workflow in a file. */
    handleFile(file: File): Promise<unknown>;
  };
}

interface Window {
  LiteGraph?: { vueNodesMode?: boolean };
}

declare module "*/scripts/api.js" {
  export const api: {
    apiURL(route: string): string;
    fetchApi(route: string, options?: RequestInit): Promise<Response>;
    addEventListener(type: string, listener: (event: CustomEvent) => void): void;
  };
}
