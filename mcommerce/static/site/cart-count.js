// Keeps the header's count of the cart true on a page that stays open. It asks the server when another tab shows another
// count, when the reader comes back, and when a script of this page says "cart-changed". Without it the count stays as
// it was when the page was loaded.

const ANSWER_MS = 10_000; // a count takes a fraction of a second: what takes longer never comes
const tabs = new BroadcastChannel("cart-count");
const link = () => document.querySelector(".cart-link");
let asking = false;
let again = false; // something changed while we asked

async function refresh() {
  again = asking;
  if (asking || document.hidden) return;
  asking = true;
  try {
    show(await fetchLink());
  } catch {
    // The page was left, or the server is away: the next reason to ask comes soon enough.
  } finally {
    asking = false;
    if (again) refresh();
  }
}

async function fetchLink() {
  const answer = await fetch(link().dataset.countUrl, {
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".cart-link");
}

/** The link itself stays, and with it the focus. */
function show(fresh) {
  if (!fresh || fresh.dataset.count === link().dataset.count) return;
  link().dataset.count = fresh.dataset.count;
  link().replaceChildren(...document.importNode(fresh, true).childNodes);
  tabs.postMessage(fresh.dataset.count);
}

if (link()) {
  tabs.onmessage = ({ data }) => data !== link().dataset.count && refresh();
  tabs.postMessage(link().dataset.count);
  addEventListener("pageshow", (event) => event.persisted && refresh());
  document.addEventListener("visibilitychange", refresh);
  document.addEventListener("cart-changed", refresh);
}
