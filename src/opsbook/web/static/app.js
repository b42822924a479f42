// What the pages do beyond HTML: keep themselves fresh, count time, follow output, listen to keys.
// Everything here is a comfort; reading and acting work without it.
(() => {
  "use strict";

  const body = document.body;
  const words = JSON.parse(body.dataset.words);
  const touched = new WeakSet(); // forms that somebody fills in, details that somebody opened
  let ahead = Date.parse(body.dataset.now) - Date.now(); // the server's clock is the one that counts

  // ---- time ---------------------------------------------------------------------------------
  const put = (sentence, name, value) => sentence.replace(`%(${name})s`, value);
  const units = words.units.map((sentence) => (n) => put(sentence, "n", n));

  function span(ms) {
    const [second, minute, hour, day] = units;
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return second(seconds);
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return minute(minutes);
    const hours = Math.floor(minutes / 60);
    const rest = (unit, n) => (n ? " " + unit(n) : "");
    if (hours < 24) return hour(hours) + rest(minute, minutes % 60);
    const days = Math.floor(hours / 24);
    return day(days) + (days < 7 ? rest(hour, hours % 24) : "");
  }

  function distance(at, form, now) {
    if (form === "for") return span(now - at);
    if (form === "ago" && Math.abs(now - at) < 3000) return words.now;
    const [ahead, past] = words.forms[form];
    return at > now ? put(ahead, "span", span(at - now)) : put(past, "span", span(now - at));
  }

  function tick() {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[data-tick]")) {
      const said = distance(Date.parse(time.dateTime), time.dataset.tick, now);
      if (time.textContent !== said) time.textContent = said;
    }
  }

  // ---- fresh parts --------------------------------------------------------------------------
  const keep = {
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(old, fresh) {
        if (touched.has(old) && old.tagName === "FORM") return false;
        if (old.dataset?.attempt && fresh.dataset) return Number(fresh.dataset.end) > Number(old.dataset.end);
        return true;
      },
      // What somebody opened or closed stays so, and output that was followed does not fold away.
      beforeAttributeUpdated: (name, node, how) =>
        !(name === "open" && (touched.has(node) || (how === "remove" && node.classList.contains("written")))) &&
        !(node.dataset.follow && (name === "hidden" || name === "aria-pressed")) &&
        name !== "data-still",
    },
  };
  let pressed = false;
  let asked = 0;
  let busy = false;

  function soon() {
    clearTimeout(asked);
    asked = setTimeout(refresh, 120);
  }

  async function refresh() {
    if (document.hidden) return; // becoming visible asks anew
    if (busy || pressed) return soon();
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Opsbook-Live": "1" } });
      if (answer.redirected || answer.status === 401) return location.reload();
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const other = fresh.getElementById(part.id);
        if (other) Idiomorph.morph(part, other, keep);
      }
      document.title = fresh.title;
      body.dataset.version = fresh.body.dataset.version;
      ahead = Date.parse(fresh.body.dataset.now) - Date.now();
      tick();
      pour();
    } catch {
      // The stream says when the server is away, and asks again when it is back.
    } finally {
      busy = false;
    }
  }

  let live = null;
  let lost = 0;

  function listen() {
    if (live || !body.dataset.topics || document.hidden) return;
    const topics = encodeURIComponent(body.dataset.topics);
    live = new EventSource(`/live?topics=${topics}&since=${encodeURIComponent(body.dataset.version)}`);
    live.addEventListener("change", soon);
    live.onopen = () => {
      clearTimeout(lost);
      lost = 0;
      if (!document.getElementById("lost").hidden) soon();
      document.getElementById("lost").hidden = true;
    };
    live.onerror = () => {
      const closed = live.readyState === EventSource.CLOSED;
      lost ||= setTimeout(() => (document.getElementById("lost").hidden = false), 4000);
      if (closed) {
        live = null;
        setTimeout(listen, 3000);
      }
    };
  }

  // ---- output of a run ------------------------------------------------------------------------
  // A piece names its attempt and its own number; what the page has already is dropped, and what
  // belongs to a step that the page does not show yet waits for the next refresh.
  let feed = null;
  let waiting = [];

  function follow() {
    const place = document.querySelector("[data-feed]");
    if (!place || feed || document.hidden) return;
    feed = new EventSource(place.dataset.feed);
    feed.addEventListener("output", (event) => {
      waiting.push(JSON.parse(event.data));
      if (waiting.length > 2000) waiting.shift();
      pour();
    });
    feed.addEventListener("end", () => {
      feed.close();
      feed = null;
      soon();
    });
    feed.onerror = () => {
      if (feed.readyState === EventSource.CLOSED) feed = null;
    };
  }

  function pour() {
    waiting = waiting.filter((piece) => {
      const box = document.querySelector(`pre[data-attempt="${Number(piece.attempt)}"]`);
      if (!box) return true;
      const end = Number(box.dataset.end);
      if (piece.end <= end) return false;
      const low = !box.dataset.still && (box.dataset.still === "" || box.scrollHeight - box.scrollTop - box.clientHeight < 24);
      // Escaped and marked up by the server; it begins with the open line anew.
      box.querySelector(":scope > .open")?.remove();
      box.insertAdjacentHTML("beforeend", piece.html);
      box.dataset.end = piece.end;
      while (box.childNodes.length > 4000) box.firstChild.remove();
      if (low) box.scrollTop = box.scrollHeight;
      return false;
    });
    follow();
  }

  // ---- keys -----------------------------------------------------------------------------------
  const places = { t: "/", n: "/inbox", i: "/incidents", l: "/alerts", r: "/runs", c: "/checks", b: "/book", a: "/audit", p: "/accounts" };
  let going = 0;

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (going) {
      clearTimeout(going);
      going = 0;
      if (places[event.key]) location.assign(places[event.key]);
    } else if (event.key === "g") {
      going = setTimeout(() => (going = 0), 1200);
    } else if (event.key === "/") {
      event.preventDefault();
      const find = document.getElementById("find");
      if (find?.checkVisibility()) find.focus();
      else location.assign("/search");
    } else if (event.key === "?") {
      document.getElementById("keys")?.showModal();
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll(".rows .title a, .rows a.title")];
      const here = rows.indexOf(document.activeElement);
      rows.at(Math.max(0, Math.min(rows.length - 1, here + (event.key === "j" ? 1 : -1))))?.focus();
    }
  }

  // ---- start ------------------------------------------------------------------------------------
  addEventListener("pointerdown", () => (pressed = true));
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => (pressed = false));
  addEventListener("keydown", key);
  addEventListener("input", (event) => {
    const form = event.target.form;
    if (form) touched.add(form);
    if (form?.id === "search") searching(form);
  });
  addEventListener("click", (event) => {
    const summary = event.target.closest?.("summary");
    if (summary) touched.add(summary.parentElement);
    if (event.target.closest?.("[data-close]")) event.target.closest("dialog").close();
    const page = event.target.closest?.(".unread .title a"); // reading a page marks it read
    if (page && event.button === 0 && !event.metaKey && !event.ctrlKey) {
      event.preventDefault();
      page.closest("li").querySelector("form").requestSubmit();
    }
  });
  addEventListener("submit", (event) => {
    if (event.target.dataset.sent) return event.preventDefault();
    event.target.dataset.sent = "1";
    setTimeout(() => delete event.target.dataset.sent, 4000);
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  addEventListener("pagehide", () => {
    live?.close();
    feed?.close();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      live?.close();
      feed?.close();
      live = feed = null;
    } else {
      tick();
      listen();
      follow();
      if (body.dataset.topics) soon();
    }
  });

  // Copying; where the browser does not let us (no https), the text is selected to be copied by hand.
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(text.textContent.trim());
        button.textContent = button.dataset.done;
      } catch {
        getSelection().selectAllChildren(text);
      }
    });
  }

  let typing = 0;
  function searching(form) {
    clearTimeout(typing);
    typing = setTimeout(async () => {
      const url = `/search?${new URLSearchParams(new FormData(form))}`;
      const answer = await fetch(url, { headers: { "X-Opsbook-Live": "1" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      Idiomorph.morph(document.getElementById("found"), fresh.getElementById("found"), keep);
      history.replaceState(null, "", url);
    }, 150);
  }

  // Without a choice the system's look holds, and the switch must lead to the other one.
  const look = document.querySelector(".top [name=theme]");
  if (look && !document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches) {
    look.value = "light";
  }
  // A text in a form: its lines are numbered, and the one that was asked for is in sight.
  for (const area of document.querySelectorAll(".code textarea")) {
    const numbers = area.parentElement.insertBefore(document.createElement("pre"), area);
    numbers.setAttribute("aria-hidden", "true");
    const count = () => {
      numbers.textContent = area.value.split("\n").map((_, n) => n + 1).join("\n");
      numbers.scrollTop = area.scrollTop;
    };
    area.addEventListener("input", count);
    area.addEventListener("scroll", () => (numbers.scrollTop = area.scrollTop));
    count();
    if (!area.dataset.line) continue;
    const lines = area.value.split("\n");
    const before = lines.slice(0, area.dataset.line - 1).join("\n").length + (area.dataset.line > 1 ? 1 : 0);
    area.focus({ preventScroll: true });
    area.setSelectionRange(before, before + (lines[area.dataset.line - 1] ?? "").length);
    area.scrollTop = Math.max(0, (area.dataset.line - 4) * 20);
  }
  for (const box of document.querySelectorAll("pre[data-attempt]")) box.scrollTop = box.scrollHeight;
  setInterval(tick, 1000);
  tick();
  listen();
  follow();
})();
