// Forms that are sent without leaving the page: those with data-enhance.

import { make, say } from "./texts.js";

/** Send a form and show the result beside it; the socket shows the changes. */
async function send(form, submitter) {
  const told = form.querySelector(".form__told");
  clearErrors(form);
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", headers: { Accept: "application/json" }, body: new FormData(form, submitter) });
    const { message, errors } = await answer.json();
    told.textContent = message ?? "";
    if (errors) showErrors(form, errors);
    else if ("reset" in form.dataset) form.reset();
  } catch {
    told.textContent = say("failed");
  }
}

function clearErrors(form) {
  form.querySelectorAll(".errorlist").forEach((list) => list.remove());
  form.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
}

function showErrors(form, errors) {
  for (const [name, messages] of Object.entries(errors)) {
    const list = make("ul", "errorlist");
    list.setAttribute("role", "alert");
    list.append(...messages.map((message) => make("li", "", message)));
    const input = form.elements[name];
    if (input) input.setAttribute("aria-invalid", "true");
    if (input) input.before(list);
    else form.prepend(list);
  }
  form.querySelector("[aria-invalid]")?.focus();
}

/** Send the page's forms by script from now on. */
export function enhanceForms() {
  for (const form of document.querySelectorAll("form[data-enhance]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form, event.submitter);
    });
  }
}
