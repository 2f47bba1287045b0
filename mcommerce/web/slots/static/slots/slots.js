// Replaces the fragments of other apps on a page, one by one, when the page's own script receives them from its socket:
// it dispatches "fragments" on the document, with {name: {html, digest}} as the detail. Focus and scroll stay.

import { localise } from "../site/local-time.js";

const TYPED = "textarea, input:not([type=checkbox], [type=radio], [type=submit], [type=button])";

function replace(box, { html, digest }) {
  if (box.dataset.digest === digest) return; // a new connection tells all fragments again
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  const [x, y] = [scrollX, scrollY];
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  box.replaceChildren(...document.importNode(fresh, true).childNodes);
  box.dataset.digest = digest;
  localise(box);
  if (focused) keepFocus(box, focused);
  scrollTo(x, y);
}

/** The same field or button, if it is still there; else the fragment's box, so that the keyboard is not thrown away. */
function keepFocus(box, focused) {
  const same = focused.id ? box.querySelector(`#${CSS.escape(focused.id)}`) : null;
  if (same?.matches(TYPED)) same.value = focused.value; // what is half typed
  (same ?? box).focus({ preventScroll: true });
}

document.addEventListener("fragments", ({ detail }) => {
  for (const box of document.querySelectorAll("[data-fragment]")) {
    if (detail[box.dataset.fragment]) replace(box, detail[box.dataset.fragment]);
  }
});
