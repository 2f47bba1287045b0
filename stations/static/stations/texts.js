// The scripts' sentences in the page's language. They stand on #texts, translated by the server.

const sentences = document.getElementById("texts").dataset;
const language = document.documentElement.lang || "en";
const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

/** Return the sentence of that name with its {places} filled. */
export function say(name, values = {}) {
  return filled(sentences[camel(name)] ?? name, values);
}

/** Return the sentence for a count: {n} is the number, and the plural form is the language's. */
export function sayMany(name, n, values = {}) {
  const form = plural.select(n) === "one" ? "one" : "other";
  return say(`${name}-${form}`, { n: whole.format(n), ...values });
}

export const number = (value) => whole.format(value);
export const percent = (part, all) => (all ? share.format(part / all) : "–");

/** Return the page's language of a sentence in every language. */
export const ours = (byLanguage) => byLanguage?.[language] ?? byLanguage?.en ?? "";

const badWords = JSON.parse(document.getElementById("bad-words")?.textContent ?? "{}");

/** Return the reason for an unreadable row in this page's language. */
export const badWord = (word) => badWords[word] ?? word;

/** Return a new element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Return a <time> that local-time.js keeps in the reader's zone; `style` is datetime, date, time or ago. */
export function timeElement(at, style) {
  const element = make("time");
  element.dateTime = at;
  element.dataset.local = style;
  return element;
}
