// app.extensionManager: settings, commands, notices, questions.

export class ExtensionManager {
  notices = [];
  /** What the next questions are answered. */
  answers = [];
  /** The language is chosen by the address: /?locale=de */
  #settings = new Map([["Comfy.Locale", new URLSearchParams(location.search).get("locale") ?? "en"]]);
  #changed = new Map();
  #commands = new Map();

  toast = {
    add: (/** @type {any} */ notice) => {
      this.notices.push(notice);
      document.getElementById("toasts")?.append(Object.assign(document.createElement("p"), { textContent: `${notice.summary}: ${notice.detail}` }));
    },
  };

  setting = {
    get: (/** @type {string} */ id, /** @type {unknown} */ otherwise) => this.#settings.has(id) ? this.#settings.get(id) : otherwise,
    set: async (/** @type {string} */ id, /** @type {unknown} */ value) => {
      const old = this.#settings.get(id);
      this.#settings.set(id, value);
      this.#changed.get(id)?.(value, old);
    },
  };

  command = {
    execute: async (/** @type {string} */ id) => {
      const command = this.#commands.get(id);
      if (!command) throw new Error(`no command ${id}`);
      return command.function();
    },
    get commands() { return []; },
  };

  dialog = {
    confirm: async () => this.answers.shift() ?? true,
    prompt: async (/** @type {any} */ question) => this.answers.length ? this.answers.shift() : question.defaultValue,
  };

  /** @type {any[]} */
  sidebarTabs = [];

  /** @param {any} tab */
  registerSidebarTab(tab) {
    if (this.sidebarTabs.some((one) => one.id === tab.id)) throw new Error(`two tabs ${tab.id}`);
    this.sidebarTabs.push(tab);
  }

  /** @param {any} extension */
  register(extension) {
    for (const setting of extension.settings ?? []) {
      if (this.#settings.has(setting.id)) throw new Error(`two settings ${setting.id}`);
      this.#settings.set(setting.id, setting.defaultValue);
      if (setting.onChange) this.#changed.set(setting.id, setting.onChange);
      setting.onChange?.(setting.defaultValue);
    }
    for (const command of extension.commands ?? []) {
      if (this.#commands.has(command.id)) throw new Error(`two commands ${command.id}`);
      this.#commands.set(command.id, command);
    }
  }

  get commandIds() { return [...this.#commands.keys()]; }
  get settingIds() { return [...this.#settings.keys()].filter((id) => id !== "Comfy.Locale"); }
}
