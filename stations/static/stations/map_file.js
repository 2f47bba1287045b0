// The operator's map file: its tiles come by HTTP Range, its style is Protomaps' in the site's own colours.

import { readInk } from "./station_symbols.js";

const SOURCE = "streets";

/** Teach MapLibre to read map files. Return what `streetsOf` needs: the file's address, the style's makers, the credits. */
export async function openMapFile(library, { mapFile, mapReader, mapStyle }) {
  const [style] = await Promise.all([import(mapStyle), loadScript(mapReader)]);
  const { PMTiles, Protocol } = globalThis.pmtiles; // the reader is no module
  const protocol = new Protocol();
  const address = new URL(mapFile, location.href).href;
  const file = new PMTiles(address);
  protocol.add(file);
  library.addProtocol("pmtiles", protocol.tile);
  const { attribution } = await file.getMetadata().catch(() => ({}));
  return { url: `pmtiles://${address}`, style, credits: textOf(attribution) };
}

/** Return the layers of streets, water and names, without pictures, and from afar without names too. */
export function streetsOf({ url, style }, { far }) {
  const ink = readInk();
  const flavor = style.namedFlavor(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const ours = { ...flavor, background: ink.map_sea, earth: ink.map_land, water: ink.map_sea };
  const layers = style.layers(SOURCE, ours, { lang: document.documentElement.lang || "en" });
  return {
    sources: { [SOURCE]: { type: "vector", url } },
    layers: layers.filter(({ id, type }) => id !== "background" && id !== "pois" && !(far && type === "symbol")).map(withOwnLetters),
  };
}

/** Return a layer whose names are drawn with the browser's own fonts: nothing is fetched for them. */
function withOwnLetters(layer) {
  if (layer.type !== "symbol") return layer;
  const { "icon-image": _, ...layout } = layer.layout ?? {};
  return { ...layer, layout: { ...layout, "text-font": ["sans-serif"] } };
}

function loadScript(src) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject });
    document.head.append(script);
  });
}

/** Return the text of an attribution, which files hold as HTML. */
const textOf = (html) => new DOMParser().parseFromString(html ?? "", "text/html").body.textContent.trim();
