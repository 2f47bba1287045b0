// What the scripts say, in the page's language: the sentences stand on #texts, translated by the server.

const sentences = document.getElementById("texts").dataset;
const language = document.documentElement.lang || "en";
const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

/** The sentence of that name, its {places} filled. */
export function say(name, values = {}) {
  return filled(sentences[camel(name)] ?? name, values);
}

/** The same for a counted thing: {n} is the number, in the form that the language wants. */
export function sayMany(name, n, values = {}) {
  const form = plural.select(n) === "one" ? "one" : "other";
  return say(`${name}-${form}`, { n: whole.format(n), ...values });
}

export const number = (value) => whole.format(value);
export const percent = (part, all) => (all ? share.format(part / all) : "–");

/** A sentence that came in every language, in this page's. */
export const ours = (byLanguage) => byLanguage?.[language] ?? byLanguage?.en ?? "";

const badWords = JSON.parse(document.getElementById("bad-words")?.textContent ?? "{}");

/** Why a row is unreadable, in this page's language. */
export const badWord = (word) => badWords[word] ?? word;

/** A new element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** A <time> that local-time.js keeps in the reader's zone; `style` is datetime, date, time or ago. */
export function timeElement(at, style) {
  const element = make("time");
  element.dateTime = at;
  element.dataset.local = style;
  return element;
}
