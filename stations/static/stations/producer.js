// The producer's page: polls as they finish, the plans, remarks; and its forms without leaving the page.

import { localise } from "../site/local-time.js";
import { showConnection } from "./connection_badge.js";
import { Feeds } from "./feeds.js";
import { enhanceForms } from "./forms.js";
import { LiveSocket } from "./live_socket.js";
import { remarkFrames } from "./remarks.js";
import { make, number, ours, say, timeElement } from "./texts.js";

const POLLS_MAX = 60; // lines of the log; the admin has them all
const page = document.getElementById("producer");
const polls = document.getElementById("polls").tBodies[0];
const labels = [...document.querySelectorAll("#polls thead th")].map((head) => head.textContent);

const takes = {
  poll(poll) {
    if ([...polls.rows].some((row) => row.dataset.key === poll.key)) return;
    const row = line(poll);
    polls.insertBefore(row, firstBefore(poll.at) ?? null);
    while (polls.rows.length > POLLS_MAX) polls.lastElementChild.remove();
    document.getElementById("polls-none").hidden = true;
    page.dataset.polls = polls.rows.length;
    localise(row);
  },
  feed: (frame) => feeds.take(frame),
  plan(plan) {
    const state = [...document.querySelectorAll(".plan")].find((one) => one.dataset.feed === plan.feed)?.querySelector(".plan__state");
    if (!state) return;
    const told = !plan.running ? "plan-stopped" : plan.calls_left ? "plan-counted" : "plan-running";
    state.textContent = say(told, { ms: number(plan.interval_ms), n: number(plan.calls_left) });
    state.classList.toggle("badge--good", plan.running);
  },
  ...remarkFrames,
};

/** Return the first line of an earlier poll: the newest poll stands first, in whatever order frames come. */
function firstBefore(at) {
  return [...polls.rows].find((row) => Date.parse(row.querySelector("time").dateTime) <= Date.parse(at));
}

function line(poll) {
  const row = make("tr", poll.ok ? "" : "poll--failed");
  row.dataset.key = poll.key;
  const when = make("td");
  when.append(timeElement(poll.at, "time"));
  const cells = [when, make("td", "", poll.feed), make("td", "num", number(poll.fetched)), make("td", "num", number(poll.changed)), trouble(poll), make("td", "num", number(poll.ms))];
  cells.forEach((cell, index) => (cell.dataset.label = labels[index]));
  row.append(...cells);
  return row;
}

function trouble(poll) {
  const cell = make("td");
  if (!poll.ok) {
    const detail = poll.detail ? ` (${poll.detail})` : "";
    cell.append(make("span", "badge badge--bad", say("poll-failed")), ` ${ours(poll.reason)}${detail}`);
  }
  cell.append(poll.bad.map(({ reason, rows }) => `${number(rows)} × ${ours(reason)}`).join("; "));
  return cell;
}

enhanceForms();

const socket = new LiveSocket(page.dataset.socket);
const feeds = new Feeds(socket);
showConnection(socket, feeds);
socket.addEventListener("state", ({ detail }) => (page.dataset.state = detail.state));
socket.addEventListener("frame", ({ detail }) => takes[detail.type]?.(detail));
socket.open();
