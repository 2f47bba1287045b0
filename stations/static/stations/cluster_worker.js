// A worker that puts stations near each other into clusters, so that no frame of the page waits for it.

import "./vendor/supercluster/supercluster.min.js";

const WORLD = [-180, -85.06, 180, 85.06];
let index = null;
let loaded = null;

/** Index the places of all stations. */
function load({ generation, lng, lat, radius, maxZoom }) {
  loaded = generation;
  index = new globalThis.Supercluster({ radius, maxZoom, extent: 512 });
  index.load([...lng].map((_, at) => ({ type: "Feature", properties: { at }, geometry: { type: "Point", coordinates: [lng[at], lat[at]] } })));
}

/** Return the cluster of each station at a zoom, and the middle of each cluster. */
function group(count, zoom) {
  const found = index.getClusters(WORLD, zoom);
  const of = new Int32Array(count).fill(-1);
  const middles = new Float64Array(2 * found.length);
  found.forEach(({ properties, geometry }, number) => {
    middles.set(geometry.coordinates, 2 * number);
    if (!properties.cluster) of[properties.at] = number;
    else for (const leaf of index.getLeaves(properties.cluster_id, Infinity)) of[leaf.properties.at] = number;
  });
  return { of, middles };
}

addEventListener("message", ({ data }) => {
  if (data.lng) load(data);
  if (data.generation !== loaded) return;
  const { of, middles } = group(data.count, data.zoom);
  postMessage({ generation: loaded, zoom: data.zoom, of, middles }, [of.buffer, middles.buffer]);
});
