// Keeps the operator's overview current: asks the server again while the page is seen, and says when nobody answers.

import { localise } from "./local-time.js";

const page = document.querySelector("[data-refresh-ms]");
const state = page.querySelector(".overview__state");
const away = page.querySelector(".overview__away");
const ANSWER_MS = 10_000; // a server that hangs is no answer
const everyMs = Number(page.dataset.refreshMs);
const title = document.title.replace(/^\(\d+\) /, "");

async function refresh() {
  const asked = new URL(location.href);
  asked.searchParams.set("part", "state");
  const answer = await fetch(asked, { signal: AbortSignal.timeout(ANSWER_MS), redirect: "manual" });
  if (answer.type === "opaqueredirect") return location.reload(); // signed out meanwhile: the sign-in page follows
  if (!answer.ok) throw new Error(String(answer.status));
  const html = await answer.text();
  const focused = state.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  state.innerHTML = html; // of this site: the same template as at the page's load
  localise(state);
  if (focused) state.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  const faults = Number(state.querySelector("[data-faults]").dataset.faults);
  document.title = faults ? `(${faults}) ${title}` : title;
}

async function again() {
  if (!document.hidden) {
    try {
      await refresh();
      away.hidden = true;
    } catch {
      away.textContent = page.dataset.away;
      away.hidden = false;
    }
  }
  setTimeout(again, everyMs);
}

setTimeout(again, everyMs);
document.addEventListener("visibilitychange", () => document.hidden || refresh().catch(() => {}));
