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

/**
 * @typedef {object} Language what is shown for a value of the setting
 * @property {string} locale
 * @property {Record<string, Entry>} texts
 * @property {Record<string, string>} labels of commands, by the English ones
 * @property {Intl.PluralRules} plural
 */

/** @type {Record<string, Translation>} by language, as the server merges the `locales/` folders of all packs */
let translations = {};
/** @type {Promise<void> | undefined} */
let loading;
/** @type {Language | undefined} */
let current;

/** Load the translations, once; nodes are created after the `init` of the extensions that wait for this. */
export function loadTexts() {
  loading ??= fetchTranslations();
  return loading;
}

async function fetchTranslations() {
  try {
    const response = await api.fetchApi("/i18n");
    if (response.ok) translations = await response.json();
  } catch (error) {
    console.warn("CLIP Grid: texts are shown in English, the server sent no translations", error);
  }
  current = undefined;
}

/**
 * A text in the user's language.
 * @type {<Key extends TextKey>(key: Key, ...values: Values<Key>) => string}
 */
export function text(key, ...values) {
  const { texts, plural } = language();
  /** @type {Record<string, string | number> | undefined} */
  const params = values[0];
  const entry = texts[key];
  const pattern = typeof entry === "string" ? entry : (entry[pluralForm(plural, params?.count)] ?? entry.other);
  return params ? pattern.replace(/\{(\w+)\}/g, (_, name) => String(params[name])) : pattern;
}

/**
 * A message of the server, which begins with a small letter, as a sentence.
 * @param {string} message
 * @returns {string} with a capital letter, unless it begins with a name or a path
 */
export function capitalised(message) {
  return /^[a-z]+ /.test(message) ? message[0].toUpperCase() + message.slice(1) : message;
}

/**
 * @param {Intl.PluralRules} plural
 * @param {string | number | undefined} count
 * @returns {"one" | "other"}
 */
function pluralForm(plural, count) {
  return plural.select(Number(count)) === "one" ? "one" : "other";
}

/**
 * The label of a command in the user's language; the front end translates its own menus, but not those of nodes.
 * @param {string} label in English
 * @returns {string}
 */
export function menuLabel(label) {
  return language().labels[label] ?? label;
}

/** The user's language, else the one that it is a variety of, else English. */
function language() {
  const locale = setting("Comfy.Locale", "en");
  if (current?.locale === locale) return current;
  const name = [locale, locale.split("-")[0]].find((one) => translations[one]?.clip_grid) ?? "en";
  const { clip_grid: texts = {}, menuLabels: labels = {} } = translations[name] ?? {};
  current = { locale, texts: { ...ENGLISH, ...texts }, labels, plural: new Intl.PluralRules(name) };
  return current;
}
