// @ts-check
/** Texts of the browser parts in the language of ComfyUI's settings; English where there is no translation. */
import { api } from "../../../scripts/api.js";
import { ENGLISH } from "./english.mjs";
import { setting } from "./front_end.mjs";

/** @typedef {keyof typeof ENGLISH} TextKey */
/** @typedef {string | {one?: string, other: string}} Entry a text, or its plural forms, chosen by `count` */
/** @typedef {{clip_grid?: Record<string, Entry>, menuLabels?: Record<string, string>}} Translation */

/**
 * The names in braces of a text, or of all its plural forms.
 * @template Text
 * @typedef {Text extends `${string}{${infer Name}}${infer Rest}`
 *   ? Name | NamesIn<Rest>
 *   : Text extends string ? never : NamesIn<Text[keyof Text]>} NamesIn
 */

/**
 * The values that a text needs: none, or one for each of its names.
 * @template {TextKey} Key
 * @typedef {[NamesIn<(typeof ENGLISH)[Key]>] extends [never]
 *   ? []
 *   : [values: Record<NamesIn<(typeof ENGLISH)[Key]>, string | number>]} Values
 */

/** @type {Record<string, Translation>} by language, as the server merges the `locales/` folders of all packs */
let translations = {};
/** @type {Promise<void> | undefined} */
let loading;

/** Load the translations, once; nodes are created after the `init` of the extensions that wait for this. */
export function loadTexts() {
  loading ??= fetchTranslations();
  return loading;
}

/**
 * A text in the user's language.
 * @type {<Key extends TextKey>(key: Key, ...values: Values<Key>) => string}
 */
export function text(key, ...values) {
  /** @type {Record<string, string | number>} */
  const given = values[0] ?? {};
  return pattern(key, Number(given.count)).replace(/\{(\w+)\}/g, (_, name) => String(given[name]));
}

/**
 * The label of a command in the user's language; the front end translates its own menus, but not those of nodes.
 * @param {string} label in English
 * @returns {string}
 */
export function menuLabel(label) {
  for (const language of languages()) {
    const translated = translations[language]?.menuLabels?.[label];
    if (translated) return translated;
  }
  return label;
}

/**
 * @param {TextKey} key
 * @param {number} count
 * @returns {string}
 */
function pattern(key, count) {
  for (const language of languages()) {
    const entry = translations[language]?.clip_grid?.[key];
    if (entry) return plural(entry, count, language);
  }
  return plural(ENGLISH[key], count, "en");
}

/**
 * @param {Entry} entry
 * @param {number} count
 * @param {string} language
 */
function plural(entry, count, language) {
  if (typeof entry === "string") return entry;
  return new Intl.PluralRules(language).select(count) === "one" ? (entry.one ?? entry.other) : entry.other;
}

/** The user's language, then the one it is a variety of: zh-TW, zh. */
function languages() {
  const locale = setting("Comfy.Locale", "en");
  return new Set([locale, locale.split("-")[0]]);
}

async function fetchTranslations() {
  try {
    const response = await api.fetchApi("/i18n");
    if (response.ok) translations = await response.json();
  } catch (error) {
    console.warn("CLIP Grid: texts are shown in English, the server sent no translations", error);
  }
}
