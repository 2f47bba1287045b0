// The nearest stations with what somebody wants, computed in the browser: no location leaves it.

import { stateOf } from "./station_store.js";

const EARTH_M = 6_371_009; // the mean radius; errs by at most 0.6 % anywhere
const METRES_PER_DEGREE = (EARTH_M * Math.PI) / 180; // of latitude
const ROUNDING_M = 1; // added before a station is skipped by its latitude alone
const WALKING_KMH = 4.5; // an adult with a bag
const DETOUR = 1.3; // streets are about this much longer than the straight line
export const REACH_M = 5_000; // straight: an hour and a half on foot, further is no answer
export const KINDS = { bikes: "bikes", ebikes: "electrical", places: "stands" };

const radians = (degrees) => (degrees * Math.PI) / 180;
const halfSine = (degrees) => Math.sin(radians(degrees) / 2) ** 2;

/** Return the metres between two points by the shortest way over the globe, also across its poles and its date line. */
export function distance(one, other) {
  const share = halfSine(other.lat - one.lat) + Math.cos(radians(one.lat)) * Math.cos(radians(other.lat)) * halfSine(other.lng - one.lng);
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(share)));
}

/** Return the minutes on foot for this straight distance, at least one. */
export const walkingMinutes = (metres) => Math.max(1, Math.round((metres * DETOUR) / ((WALKING_KMH * 1000) / 60)));

/** Return how many a station has of this kind: "bikes", "ebikes" or "places". Null: its feed does not say. */
export const countOf = (station, kind) => station[KINDS[kind]];

/** Return true if one can go to the station for this kind. */
export const offers = (station, kind) => stateOf(station) === "open" && countOf(station, kind) > 0;

const before = (one, other) => one.metres - other.metres || (one.station.id < other.station.id ? -1 : 1);

/** Return the `count` nearest of these stations to a point, at most `reach` metres away: [{station, metres}], nearest first. */
export function nearest(stations, point, { suits = () => true, count = 3, reach = REACH_M } = {}) {
  const found = [];
  let limit = reach;
  for (const station of stations) {
    if (Math.abs(station.lat - point.lat) * METRES_PER_DEGREE > limit + ROUNDING_M || !suits(station)) continue;
    const metres = distance(point, station);
    if (metres > limit) continue;
    found.push({ station, metres });
    found.sort(before);
    if (found.length > count) found.pop();
    if (found.length === count) limit = found.at(-1).metres;
  }
  return found;
}
