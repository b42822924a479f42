// The plan beside the form that starts a runbook, made anew by the server as somebody types.
// Without this script the button "Show the plan" does the same.
(() => {
  "use strict";

  const form = document.querySelector("form[data-plan]");
  if (!form) return;
  for (const button of form.querySelectorAll("[data-by-hand]")) button.hidden = true;

  const keep = { callbacks: { beforeAttributeUpdated: (name) => name !== "open" } };
  let timer = 0;
  let turn = 0;

  async function ask() {
    const mine = ++turn;
    const filled = new URLSearchParams(new FormData(form));
    filled.set("typing", "1");
    try {
      const answer = await fetch(form.dataset.plan, { method: "POST", body: filled });
      if (mine !== turn || !answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== turn) return; // somebody has typed on meanwhile
      for (const part of document.querySelectorAll("[data-planned]")) {
        const other = fresh.getElementById(part.id);
        if (other) Idiomorph.morph(part, other, keep);
      }
      for (const field of form.querySelectorAll("[aria-describedby]")) {
        const other = fresh.getElementById(field.id);
        const wrong = other?.getAttribute("aria-invalid");
        if (wrong) field.setAttribute("aria-invalid", wrong);
        else field.removeAttribute("aria-invalid");
      }
    } catch {
      // The plan stays as it was; starting asks the server anyway.
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
})();
