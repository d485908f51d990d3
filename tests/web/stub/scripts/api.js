// As much of ComfyUI's api.js as an extension sees.

class Api extends EventTarget {
  api_host = location.host;
  api_base = "";
  clientId = "stub";

  /** @param {string} route */
  apiURL(route) {
    return `/api${route}`;
  }

  /** @param {string} route */
  fileURL(route) {
    return route;
  }

  /** @param {string} route @param {RequestInit} [options] */
  fetchApi(route, options = {}) {
    const headers = new Headers(options.headers);
    headers.set("Comfy-User", "");
    return fetch(this.apiURL(route), { cache: "no-cache", ...options, headers });
  }

  /** What the server's messages become. @param {string} type @param {unknown} detail */
  dispatchCustomEvent(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export const api = new Api();
