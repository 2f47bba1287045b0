// Finding by what people type, folded as the server folds it (stations/searching.py): "metro" finds "MÉTRO".

const SPELT = { ø: "o", ł: "l", đ: "d", ð: "d", ħ: "h", ı: "i", æ: "ae", œ: "oe", ß: "ss", þ: "th", "’": "'" };

/** Small letters without accents, one space between words. */
export function fold(text) {
  const bare = text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return bare.replace(/[øłđðħıæœßþ’]/g, (letter) => SPELT[letter]).split(/\s+/).filter(Boolean).join(" ");
}

/** What a station is found by. */
export const folded = (station) => fold(`${station.number} ${station.name} ${station.address}`);

/** Whether it holds every word of the query, in any order; both folded. */
export const holds = (text, query) => query.split(" ").every((word) => text.includes(word));
