// The search over everything that is loaded: names, ids, addresses and cities.

import { fold, holds } from "./text_folding.js";

/** The search texts of stations. A text is made when it is first needed, and again when a name or an address changes. */
export class SearchTexts {
  constructor(cityName) {
    this.cityName = cityName;
    this.texts = new Map(); // id -> {made, name, text}
  }

  of(station) {
    const made = `${station.name}\n${station.address}`;
    const kept = this.texts.get(station.id);
    if (kept?.made === made) return kept;
    const text = fold(`${localId(station)} ${station.name} ${station.address} ${this.cityName(station.contract)}`);
    const entry = { made, name: fold(station.name), text };
    this.texts.set(station.id, entry);
    return entry;
  }

  /** Return true if the station holds every word of the folded query. */
  matches(station, query) {
    return !query || holds(this.of(station).text, query);
  }
}

/** Return the id that the station's feed gave it: what stands on the pole. */
export const localId = (station) => String(station.number ?? station.station_id);

/** Return how well a station fits a folded query: lower is better. */
function rank(station, { name }, query, here) {
  if (here && station.contract !== here) return 4; // a city of one's choice comes first
  if (localId(station) === query) return 0;
  if (name.startsWith(query)) return 1;
  return name.includes(` ${query}`) ? 2 : 3;
}

/** Return the best finds for a typed text: {cities, stations, all}; `all` counts every station that fits. */
export function search(typed, { stations, cities, texts, cityName, here, stationsMax, citiesMax }) {
  const query = fold(typed);
  if (!query) return { cities: [], stations: [], all: 0 };
  const places = [...cities].filter((city) => city.stations && holds(fold(cityName(city.contract)), query));
  const found = [];
  for (const station of stations) if (texts.matches(station, query)) found.push({ station, rank: rank(station, texts.of(station), query, here) });
  found.sort((one, other) => one.rank - other.rank || one.station.name.localeCompare(other.station.name, undefined, { numeric: true }));
  return { cities: places.slice(0, citiesMax), stations: found.slice(0, stationsMax).map(({ station }) => station), all: found.length };
}
