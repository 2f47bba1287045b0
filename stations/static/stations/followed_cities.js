// The cities whose stations a page follows: the chosen one, those in sight, those near the starting point, those of favourites.
// The server learns these names, and nothing else: no location leaves the browser.

import { distance, KINDS, nearest, REACH_M } from "./nearest.js";

const AFTER_MS = 300; // of rest: a map that is dragged passes many cities
const FROM_ZOOM = 10; // further away a city is one sign, or a few
const NAMED_MAX = 100; // in one request
const NAME_LENGTH_MAX = 60; // the server refuses longer ones
const EVERYWHERE_M = 21_000_000; // further than any point of the globe
const ALL = "*";

export class FollowedCities {
  /** `seen()` returns {chosen, listsAll, sight, origin, kind}, or null as long as no frame has come; `onChange()` hears of other cities. */
  constructor({ world, favourites, chosen, seen, onChange }) {
    Object.assign(this, { world, favourites, seen, onChange });
    const kept = [...favourites.kept.values()].map(({ contract }) => contract);
    this.contracts = [...new Set([chosen, ...kept])].filter((name) => name && name.length <= NAME_LENGTH_MAX).slice(0, NAMED_MAX); // or "*"
  }

  /** Follow what this page needs now, once it has been at rest for a moment. */
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), AFTER_MS);
  }

  look() {
    const seen = this.seen();
    if (!seen) return;
    const wanted = seen.listsAll ? ALL : wantedCities(this.world, this.favourites, seen);
    if (String(wanted) === String(this.contracts)) return;
    this.contracts = wanted;
    if (wanted !== ALL) this.world.keepOnly(wanted);
    this.onChange();
  }
}

/** Return the contracts to follow, sorted; or "*" for all. `sight` is the map's {zoom, west, south, east, north}, or null. */
function wantedCities(world, favourites, { chosen, sight, origin, kind }) {
  const wanted = new Set(chosen ? [chosen] : []);
  for (const city of world.cities.values()) if (sight && sight.zoom >= FROM_ZOOM && isIn(sight, city)) wanted.add(city.contract);
  for (const city of origin ? near(world, origin, kind) : []) wanted.add(city.contract);
  for (const kept of favourites.kept.values()) {
    const contract = favourites.cityOf(kept, world.cities);
    if (world.cities.has(contract)) wanted.add(contract);
  }
  return wanted.size > NAMED_MAX ? ALL : [...wanted].sort();
}

const isIn = (sight, { west, south, east, north }) => west <= sight.east && east >= sight.west && south <= sight.north && north >= sight.south;

/** Return the cities that may have the nearest stations with what is wanted. */
function near(world, origin, kind) {
  const found = [...world.cities.values()].filter((city) => city[KINDS[kind]] > 0).map((city) => ({ city, metres: metresTo(city, origin) }));
  found.sort((one, other) => one.metres - other.metres);
  if (!found.length) return [];
  const closest = world.of(found[0].city.contract);
  const [there] = nearest(closest, origin, { count: 1, reach: EVERYWHERE_M });
  const reach = Math.max(REACH_M, there?.metres ?? 0); // another city may have one that is nearer than the closest city's
  return found.filter(({ metres }, index) => index === 0 || metres <= reach).map(({ city }) => city);
}

/** Return the metres from a point to the nearest edge of a city; 0 inside. */
function metresTo({ west, south, east, north }, { lat, lng }) {
  const within = (value, least, most) => Math.max(least, Math.min(most, value));
  return distance({ lat, lng }, { lat: within(lat, south, north), lng: within(lng, west, east) });
}
