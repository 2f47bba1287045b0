// What is written and ruled on the map beside the signs: cities' names, and without streets a grid of kilometres.

const GRID_KM_BY_ZOOM = { 9: 5, 10: 2, 11: 1, 12: 1, 13: 0.5, 14: 0.5, 15: 0.2, 16: 0.1 };
const GRID_KM_LEAST = 0.1;
const NAME_FROM_EDGE_PX = 34; // of the map, and of the northernmost station
const NAME_HALF_PX = 150;

export function drawGrid(pen, ink, view) {
  const step = view.pxPerKm * (GRID_KM_BY_ZOOM[Math.floor(view.zoom)] ?? GRID_KM_LEAST);
  const origin = view.at({ lng: 0, lat: 0 });
  pen.beginPath();
  for (let x = ((origin.x % step) + step) % step; x < view.width; x += step) pen.rect(Math.round(x), 0, 0, view.height);
  for (let y = ((origin.y % step) + step) % step; y < view.height; y += step) pen.rect(0, Math.round(y), view.width, 0);
  pen.globalAlpha = 0.5;
  pen.strokeStyle = ink.map_line;
  pen.lineWidth = 1;
  pen.stroke();
  pen.globalAlpha = 1;
}

/** Draw each city's name above its northernmost sign, or at the upper edge when that is out of sight. */
export function drawCityNames(pen, ink, view, drawn, cityName) {
  pen.font = `600 34px ${ink.serif}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const [contract, { left, right, top }] of extents(drawn)) {
    const x = Math.max(NAME_HALF_PX, Math.min(view.width - NAME_HALF_PX, (left + right) / 2));
    write(pen, ink, cityName(contract), x, Math.max(NAME_FROM_EDGE_PX, top - NAME_FROM_EDGE_PX), 6);
  }
}

/** Return the area of each city's drawn signs on the screen. */
function extents(drawn) {
  const found = new Map();
  for (const { x, y, station, contracts } of drawn) {
    for (const contract of station ? [station.contract] : contracts.keys()) {
      const extent = found.get(contract) ?? { left: x, right: x, top: y };
      found.set(contract, { left: Math.min(extent.left, x), right: Math.max(extent.right, x), top: Math.min(extent.top, y) });
    }
  }
  return found;
}

/** Draw the name of each city once, at its largest sign, where it covers no other sign or name. */
export function drawClusterNames(pen, ink, view, drawn, cityName) {
  pen.font = `600 13px ${ink.sans}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const [placed, named] = [drawn.map(boxOf), new Set()];
  const size = (sign) => sign.size ?? 1;
  for (const sign of [...drawn].sort((one, other) => size(other) - size(one))) {
    const contracts = sign.station ? new Map([[sign.station.contract, 1]]) : sign.contracts;
    const [largest, ...others] = [...contracts].sort((one, other) => other[1] - one[1]);
    if (!largest || named.has(largest[0])) continue;
    named.add(largest[0]);
    const name = cityName(largest[0]) + (others.length ? ` +${others.length}` : "");
    const box = roomFor(name, pen.measureText(name).width, sign, placed, view.width);
    if (!box) continue;
    placed.push(box);
    write(pen, ink, name, box.left, (box.top + box.bottom) / 2, 4);
  }
}

/** Return the first place beside a sign where its name fits. */
function roomFor(name, width, { x, y, radius }, placed, edge) {
  const away = radius + 7;
  const sides = [[away, 0], [-away - width, 0], [-width / 2, -away - 6], [-width / 2, away + 6]];
  const boxes = sides.map(([right, down]) => ({ left: x + right, right: x + right + width, top: y + down - 8, bottom: y + down + 8 }));
  return boxes.find((box) => box.left >= 0 && box.right <= edge && !placed.some((other) => overlap(box, other)));
}

function write(pen, ink, text, x, y, halo) {
  pen.lineWidth = halo;
  pen.lineJoin = "round";
  pen.strokeStyle = ink.map_land;
  pen.strokeText(text, x, y);
  pen.fillStyle = ink.map_label;
  pen.fillText(text, x, y);
}

const boxOf = ({ x, y, radius }) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
const overlap = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
