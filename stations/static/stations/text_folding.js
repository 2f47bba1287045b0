// The search by typed words, folded as the server folds them (stations/services/search.py): "metro" finds "MÉTRO".

const SPELT = { ø: "o", ł: "l", đ: "d", ð: "d", ħ: "h", ı: "i", æ: "ae", œ: "oe", ß: "ss", þ: "th", ς: "σ", "’": "'" };
const KATAKANA = /[\u30a1-\u30f6]/g; // each has its hiragana 96 places before it
const KANA_APART = 0x60;
const SPACES = /[\s\x1c-\x1f\x85]+/; // as Python splits

/** Return the text in small letters without accents, katakana as hiragana, with one space between words. */
export function fold(text) {
  const bare = text.toLowerCase().normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "");
  const kana = bare.replace(KATAKANA, (letter) => String.fromCharCode(letter.charCodeAt(0) - KANA_APART));
  return kana.replace(/[øłđðħıæœßþς’]/g, (letter) => SPELT[letter]).split(SPACES).filter(Boolean).join(" ");
}

/** Return true if the text holds every word of the query, in any order; both are folded. */
export const holds = (text, query) => query.split(" ").every((word) => text.includes(word));
