// The page works without this: it groups digits, fills in test cards, and tells that a payment is on its way.

const grouped = (text) => text.replace(/\D/g, "").slice(0, 19).replace(/(.{4})(?=.)/g, "$1 ");

const number = document.getElementById("number");
number?.addEventListener("change", () => { number.value = grouped(number.value); });

for (const button of document.querySelectorAll("button[data-number]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    number.value = button.dataset.number;
    document.getElementById("expiry").value = `12/${String((new Date().getFullYear() + 1) % 100).padStart(2, "0")}`;
    document.getElementById("cvc").value = "123";
    number.form.querySelector(".primary").focus();
  });
}

for (const form of document.querySelectorAll("form[data-paying]")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
      return;
    }
    sent = true;
    event.submitter?.setAttribute("aria-disabled", "true");
    if (event.submitter) event.submitter.textContent = form.dataset.paying;
  });
  // The browser's way back shows the page as it was left: ready again.
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
}
