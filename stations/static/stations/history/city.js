// A city's past: its sums as a chart, and a day played with a slider. Each moment is asked of the server.

import { colour, draw, everyHours, series, times } from "./plot.js";

const STEP_SECONDS = 600; // of a played day: 144 moments
const STEP_MS = 250; // between two of them, if the server answers as fast
const HEIGHT_SHARE = 0.6; // of the width of the drawing
const MARGIN = 10; // pixels
const OPEN = 0;

const page = document.getElementById("past");
const texts = page.dataset;
const charts = JSON.parse(document.getElementById("charts").textContent);
const places = new Map(JSON.parse(document.getElementById("places").textContent).map(([id, lat, lng]) => [id, { lat, lng }]));
const slider = document.getElementById("slider");
const play = document.getElementById("play");
const canvas = document.getElementById("playback");
const told = document.getElementById("moment");
const unknown = document.getElementById("moment-unknown");
const unknownText = unknown.textContent;
const number = new Intl.NumberFormat(document.documentElement.lang || "en");
const when = times(charts.zone, { dateStyle: "medium", timeStyle: "short" });
let asking = false;
let shown = null;
let timer = 0;

draw(document.getElementById("sum-plot"), {
  data: [charts.sums.at, charts.sums.bikes],
  lines: [series(texts.bikes, "bikes", { fill: () => `${colour("bikes")}33` })],
  x: times(charts.zone, { weekday: "short", hour: "2-digit" }),
  mark: times(charts.zone, { weekday: "short" }),
  range: [charts.sums.at[0], charts.sums.at.at(-1)],
  label: texts.time,
  splits: everyHours(24),
});

/** Ask for the slider's moment and show it. While an answer is awaited, only the last position counts. */
async function show() {
  told.textContent = when(Number(slider.value));
  slider.setAttribute("aria-valuetext", told.textContent);
  if (asking) return;
  asking = true;
  const at = slider.value;
  try {
    const answer = await fetch(`${texts.moment}?at=${at}`);
    if (!answer.ok) throw new Error(answer.status);
    shown = await answer.json();
    showMoment();
  } catch {
    unknown.textContent = texts.failed;
    unknown.hidden = false;
    stop();
  }
  asking = false;
  if (slider.value !== at) show();
}

function showMoment() {
  told.dateTime = new Date(shown.at * 1000).toISOString();
  unknown.textContent = unknownText;
  unknown.hidden = shown.known;
  for (const [name, count] of Object.entries(shown.sums)) document.querySelector(`[data-sum="${name}"]`).textContent = number.format(count);
  drawStations();
}

/** Draw each station as a dot that is as full as the station. A degree of longitude is shorter than one of latitude. */
function drawStations() {
  if (!shown || !places.size) return;
  canvas.hidden = false;
  const width = canvas.clientWidth;
  const height = Math.round(width * HEIGHT_SHARE);
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const put = projection(width, height);
  const radius = Math.max(2.5, Math.min(7, width / 130));
  const colours = Object.fromEntries(["bikes", "void", "closed", "surface"].map((name) => [name, colour(name)]));
  for (const [id, bikes, stands, state] of shown.stations) {
    const place = places.get(id);
    if (!place) continue;
    const share = stands === null ? 1 : bikes / Math.max(bikes + stands, 1);
    drawDot(pen, put(place), radius, state !== OPEN ? colours.closed : bikes ? colours.bikes : colours.void, bikes && state === OPEN ? share : 0, colours.surface);
  }
}

function drawDot(pen, [x, y], radius, stroke, share, ground) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = ground;
  pen.fill();
  pen.lineWidth = 1.5;
  pen.strokeStyle = stroke;
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x, y);
  pen.arc(x, y, radius, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
  pen.fillStyle = stroke;
  pen.fill();
}

function projection(width, height) {
  const all = [...places.values()];
  const [south, north] = [Math.min(...all.map((one) => one.lat)), Math.max(...all.map((one) => one.lat))];
  const [west, east] = [Math.min(...all.map((one) => one.lng)), Math.max(...all.map((one) => one.lng))];
  const shorter = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = Math.min((width - 2 * MARGIN) / Math.max((east - west) * shorter, 1e-4), (height - 2 * MARGIN) / Math.max(north - south, 1e-4));
  return ({ lat, lng }) => [width / 2 + (lng - (west + east) / 2) * shorter * scale, height / 2 - (lat - (south + north) / 2) * scale];
}

function stop() {
  clearInterval(timer);
  timer = 0;
  play.textContent = texts.play;
}

play.addEventListener("click", () => {
  if (timer) return stop();
  if (Number(slider.value) >= Number(slider.max)) slider.value = slider.min;
  play.textContent = texts.pause;
  timer = setInterval(() => {
    if (asking) return;
    slider.value = Number(slider.value) + STEP_SECONDS;
    show();
    if (Number(slider.value) >= Number(slider.max)) stop();
  }, STEP_MS);
});

slider.min = charts.bounds[0];
slider.max = Math.max(charts.bounds[0], charts.until - (charts.until % 60));
slider.value = Math.floor(new Date(told.dateTime).getTime() / 1000);
slider.addEventListener("input", show);
document.getElementById("player").hidden = false;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawStations);
new ResizeObserver(drawStations).observe(page);
show();
