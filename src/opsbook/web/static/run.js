// The page of one run: output is followed until somebody scrolls up, and again once they ask for it.
// What came stays as it came: nothing that was opened by a step under way closes by itself.
(() => {
  "use strict";

  const near = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const boxOf = (button) => document.querySelector(`pre[data-attempt="${Number(button.dataset.follow)}"]`);

  function dress() {
    for (const button of document.querySelectorAll("[data-follow][hidden]")) button.hidden = false;
  }

  function set(button, on) {
    if (button.getAttribute("aria-pressed") !== String(on)) button.setAttribute("aria-pressed", on);
  }

  addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-follow]");
    if (!button) return;
    event.preventDefault(); // it stands in a summary, which it does not open or close
    const box = boxOf(button);
    const on = button.getAttribute("aria-pressed") !== "true";
    set(button, on);
    box.dataset.still = on ? "" : "1";
    if (on) box.scrollTop = box.scrollHeight;
  });

  addEventListener(
    "scroll",
    ({ target }) => {
      const attempt = target.dataset?.attempt;
      const button = attempt && document.querySelector(`[data-follow="${Number(attempt)}"]`);
      if (!button) return;
      target.dataset.still = near(target) ? "" : "1";
      set(button, near(target));
    },
    true,
  );

  new MutationObserver(dress).observe(document.getElementById("main"), { childList: true, subtree: true });
  dress();
})();
