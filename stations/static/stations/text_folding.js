// The search by typed words, folded as the server folds them (stations/services/search.py): "metro" finds "MÉTRO".

const SPELT = { ø: "o", ł: "l", đ: "d", ð: "d", ħ: "h", ı: "i", æ: "ae", œ: "oe", ß: "ss", þ: "th", "’": "'" };

/** Return the text in small letters without accents, with one space between words. */
export function fold(text) {
  const bare = text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return bare.replace(/[øłđðħıæœßþ’]/g, (letter) => SPELT[letter]).split(/\s+/).filter(Boolean).join(" ");
}

/** Return the search text of a station. */
export const folded = (station) => fold(`${station.number ?? station.station_id} ${station.name} ${station.address}`);

/** Return true if the text holds every word of the query, in any order; both are folded. */
export const holds = (text, query) => query.split(" ").every((word) => text.includes(word));
