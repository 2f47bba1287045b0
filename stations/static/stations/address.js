// The address of the dashboard, in two parts. The query (city, search) is sent to the server.
// The hash stays in the browser: "#map=12/45.7600/4.8400&station=…&kind=ebikes&from=…&tab=cities". Unknown parts stay.

const QUERY = { contract: "contract", q: "q" };
const HASH = ["station", "kind", "from", "tab"];
const CAMERA = /^([\d.]+)\/(-?[\d.]+)\/(-?[\d.]+)$/;
const READABLE = { "%3A": ":", "%2F": "/", "%2C": ",", "%40": "@" }; // allowed in a hash as they are

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone "%" that somebody typed
  }
};
const encoded = (text) => encodeURIComponent(text).replace(/%(3A|2F|2C|40)/g, (code) => READABLE[code]);

/** Return the parts of a hash by name, in their order. A bare "#content" is a place on the page, and no part. */
function partsOf(hash) {
  const pairs = hash.replace(/^#/, "").split("&").filter((pair) => pair.includes("="));
  return new Map(pairs.map((pair) => [decoded(pair.slice(0, pair.indexOf("="))), decoded(pair.slice(pair.indexOf("=") + 1))]));
}

function cameraOf(text) {
  const [zoom, lat, lng] = (CAMERA.exec(text ?? "") ?? []).slice(1).map(Number);
  return Number.isFinite(zoom + lat + lng) ? { zoom, lat, lng } : null;
}

/** Return what the address asks for. A missing text is "", a missing camera null. */
export function readAddress(href = location.href) {
  const { searchParams, hash } = new URL(href);
  const parts = partsOf(hash);
  const read = { camera: cameraOf(parts.get("map")) };
  for (const [name, key] of Object.entries(QUERY)) read[name] = (searchParams.get(key) ?? "").trim();
  for (const name of HASH) read[name] = parts.get(name) ?? "";
  read.contract = read.contract.toLowerCase();
  return read;
}

/** Return the address with these parts changed; "" or null takes a part out. A camera is {zoom, lat, lng}. */
export function addressWith(wanted, href = location.href) {
  const address = new URL(href);
  const parts = partsOf(address.hash);
  const put = (holder, name, value) => (value ? holder.set(name, value) : holder.delete(name));
  for (const [name, key] of Object.entries(QUERY)) if (name in wanted) put(address.searchParams, key, wanted[name]);
  for (const name of HASH) if (name in wanted) put(parts, name, wanted[name]);
  if ("camera" in wanted) put(parts, "map", cameraText(wanted.camera));
  address.hash = [...parts].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");
  return address.href.replace(/#$/, "");
}

const cameraText = (camera) => camera && `${Math.round(camera.zoom * 100) / 100}/${camera.lat.toFixed(4)}/${camera.lng.toFixed(4)}`;

/** Change the address. With `push` the earlier one stays in the browser's history. */
export function writeAddress(wanted, { push = false } = {}) {
  const href = addressWith(wanted);
  if (href !== location.href) history[push ? "pushState" : "replaceState"](null, "", href);
  keepOverLanguages();
}

/** Make a change of language return here. The hash goes into the form's address, which is not sent: a redirect keeps it. */
export function keepOverLanguages() {
  for (const form of document.querySelectorAll(".language-switch")) {
    form.action = form.action.split("#")[0] + location.hash;
    const next = form.querySelector("input[name=next]");
    if (next) next.value = location.pathname + location.search;
  }
}
