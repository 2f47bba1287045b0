// Beside htmx, which fetches the part of an operator's page that changes: asks for nothing while nobody looks, keeps what
// a reader has focused, opened or scrolled, and says when the server does not answer.

import { localise } from "./local-time.js";

const part = document.querySelector("[data-live]");
const away = document.querySelector(".overview__away");
let kept = {};

function named(selector, attribute) {
  return [...part.querySelectorAll(selector)].map((element) => [element.getAttribute(attribute), element]);
}

/** Return a selector that finds this element in the next drawing of the part; null for one that has no name. */
function selectorOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  for (const attribute of ["href", "aria-label"]) {
    if (element.hasAttribute(attribute)) return `[${attribute}="${CSS.escape(element.getAttribute(attribute))}"]`;
  }
  return element.parentElement.id ? `#${CSS.escape(element.parentElement.id)} > ${element.localName}` : null;
}

part.addEventListener("htmx:beforeRequest", (event) => document.hidden && event.preventDefault());
part.addEventListener("htmx:beforeSwap", (event) => {
  // A part that cannot be read now names the lock: what was shown before may be wrong.
  if (event.detail.xhr.getResponseHeader("X-Overview-Unread")) Object.assign(event.detail, { shouldSwap: true, isError: false });
  const active = part.contains(document.activeElement) ? document.activeElement : null;
  kept = {
    focused: active && selectorOf(active),
    open: new Map(named("details[id]", "id").map(([name, one]) => [name, one.open])),
    scrolled: new Map(named("[role=region]", "aria-label").map(([name, one]) => [name, one.scrollLeft])),
  };
});
part.addEventListener("htmx:afterSwap", () => {
  localise(part);
  for (const [name, one] of named("details[id]", "id")) one.open = kept.open.get(name) ?? one.open;
  for (const [name, one] of named("[role=region]", "aria-label")) one.scrollLeft = kept.scrolled.get(name) ?? 0;
  if (kept.focused) part.querySelector(kept.focused)?.focus({ preventScroll: true });
  away.hidden = true;
});
for (const fault of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  part.addEventListener(fault, () => {
    away.textContent = away.dataset.away;
    away.hidden = false;
  });
}
document.addEventListener("visibilitychange", () => document.hidden || part.dispatchEvent(new Event("refresh")));
