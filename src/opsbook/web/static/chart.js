// The past of a check, drawn anew: values under the pointer, and a closer look by dragging over it.
// It lives in a tree of its own over the server's picture, so that a fresh page changes the data
// below it and does not tear it down. Colours are the style sheet's, read from what it paints.
(() => {
  "use strict";

  const HEIGHT = 244;
  const LINES = ["mean", "p95"];
  const DAY = 86400;
  let plot = null;
  let host = null;
  let text = "";
  let units = {};
  const opened = new WeakSet();

  // ---- values and times, as the server says them ------------------------------------------------
  function short(value) {
    const size = Math.abs(value);
    const said = size >= 100 ? value.toFixed(0) : size === 0 ? "0" : String(Number(value.toPrecision(3)));
    return said.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
  }

  // Lengths of time are said in the visitor's words, as the server says them.
  function read(value, unit) {
    const told = written(value, unit);
    const [, amount, name] = /^(.+) (s|min|h|d)$/.exec(told) ?? [];
    return name && units[name] ? units[name].replace("{}", amount) : told;
  }

  function written(value, unit) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (unit === "bytes") {
      const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
      const n = size < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log2(size) / 10));
      return `${short(value / 1024 ** n)} ${names[n]}`;
    }
    if (unit === "ms" && size >= 1000) return written(value / 1000, "s");
    if (unit === "s") {
      if (size > 0 && size < 1) return `${short(value * 1000)} ms`;
      if (size < 120) return `${short(value)} s`;
      if (size < 7200) return `${short(value / 60)} min`;
      return size < 2 * DAY ? `${short(value / 3600)} h` : `${short(value / DAY)} d`;
    }
    return unit.startsWith("/") ? `${short(value)}${unit}` : `${short(value)} ${unit}`.trim();
  }

  const two = (n) => String(n).padStart(2, "0");

  function clock(at, zone, wide) {
    const there = uPlot.tzDate(new Date(at * 1000), zone);
    const date = `${there.getMonth() + 1}/${there.getDate()}`;
    const time = `${two(there.getHours())}:${two(there.getMinutes())}`;
    if (wide) return `${there.getFullYear()}-${two(there.getMonth() + 1)}-${two(there.getDate())} ${time}`;
    return time === "00:00" ? date : time;
  }

  function times(zone) {
    return (_, splits, __, ___, step) =>
      splits.map((at) => {
        const there = uPlot.tzDate(new Date(at * 1000), zone);
        if (step >= 27 * DAY) return `${there.getFullYear()}/${there.getMonth() + 1}`;
        return step >= DAY ? `${there.getMonth() + 1}/${there.getDate()}` : clock(at, zone);
      });
  }

  // ---- the picture ----------------------------------------------------------------------------
  function make(name, kind) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    return made;
  }

  async function sheet(address) {
    const made = new CSSStyleSheet();
    made.replaceSync(await (await fetch(address)).text());
    return made;
  }

  // Nothing takes the place of the server's picture before there is something to show.
  async function open(place) {
    const sheets = await Promise.all(place.dataset.styles.split(" ").map(sheet));
    const root = place.attachShadow({ mode: "open" });
    const print = make("div", "print");
    print.append(make("slot"));
    root.append(make("div", "plot"), make("p", "reads"), make("span", "ink"), print);
    root.adoptedStyleSheets = sheets;
    new ResizeObserver(() => place === host && plot?.setSize({ width: root.querySelector(".plot").clientWidth, height: HEIGHT })).observe(place);
    if (place === host) draw();
  }

  function ink(name) {
    const probe = host.shadowRoot.querySelector(".ink");
    probe.className = `ink ink-${name}`;
    return getComputedStyle(probe).color;
  }

  function areas(u, data) {
    const { ctx, bbox } = u;
    const edge = (value) => Math.min(Math.max(u.valToPos(value, "y", true), bbox.top), bbox.top + bbox.height);
    const outside = { "↑": [], "↓": [] };
    ctx.save();
    for (const one of data.areas) {
      const top = one.high === null ? bbox.top : edge(one.high);
      const bottom = one.low === null ? bbox.top + bbox.height : edge(one.low);
      ctx.fillStyle = ink(`${one.tone}-area`);
      ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
      ctx.strokeStyle = ctx.fillStyle = ink(one.tone);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      const near = within(data).filter((end) => end === one.low || end === one.high);
      for (const end of near) {
        ctx.beginPath();
        ctx.moveTo(bbox.left, edge(end));
        ctx.lineTo(bbox.left + bbox.width, edge(end));
        ctx.stroke();
      }
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      const right = bbox.left + bbox.width - 4;
      if (near.length) ctx.fillText(one.label, right, Math.max(edge(near[0]) - 4 * devicePixelRatio, bbox.top + 11 * devicePixelRatio));
      else outside[(one.low ?? one.high) > u.scales.y.max ? "↑" : "↓"].push(one.label);
    }
    ctx.fillStyle = ink("text");
    const row = 11 * devicePixelRatio;
    for (const [arrow, labels] of Object.entries(outside))
      if (labels.length) ctx.fillText(`${arrow} ${labels.join(" · ")}`, bbox.left + bbox.width - 4, arrow === "↑" ? bbox.top + row : bbox.top + bbox.height - 4);
    ctx.restore();
  }

  function strip(u, data) {
    const { ctx, bbox } = u;
    const at = data.at;
    const place = (value) => Math.min(Math.max(u.valToPos(value, "x", true), bbox.left), bbox.left + bbox.width);
    const height = 6 * devicePixelRatio;
    ctx.save();
    for (let n = 0; n < at.length; ) {
      let end = n + 1;
      while (end < at.length && data.state[end] === data.state[n]) end++;
      const until = end < at.length ? at[end] : Math.min(data.until, at[end - 1] + (at[end - 1] - (at[end - 2] ?? at[end - 1])));
      if (data.state[n]) {
        ctx.fillStyle = ink(data.state[n]);
        const left = place(at[n]);
        ctx.fillRect(left, bbox.top + bbox.height, Math.max(place(until) - left, devicePixelRatio), height);
      }
      n = end;
    }
    ctx.restore();
  }

  function say(u, data) {
    const line = host.shadowRoot.querySelector(".reads");
    const n = u.cursor.idx;
    line.replaceChildren();
    if (n === null || n === undefined || !data.state[n]) return;
    const tell = (word, value) => {
      const part = make("span");
      const strong = make("b");
      strong.textContent = value;
      part.append(word ? `${word} ` : "", strong);
      line.append(part);
    };
    tell("", clock(data.at[n], data.zone, true));
    tell(data.words.mean, read(data.mean[n], data.unit));
    tell(data.words.p95, read(data.p95[n], data.unit));
    tell(data.words.between, `${read(data.least[n], data.unit)} – ${read(data.most[n], data.unit)}`);
    tell("", data.words[data.state[n]]);
  }

  // How far up it goes, and where its lines are: the rules of the server (scales.py).
  const real = (values) => values.filter((value) => value !== null);

  function within(data) {
    const limits = real(data.areas.flatMap((one) => [one.low, one.high]));
    const seen = real([...data.least, ...data.most]);
    if (!seen.length) return limits;
    let low = Math.min(...seen);
    const high = Math.max(...seen);
    if (low >= 0 && low <= high * 0.6) low = 0;
    const reach = Math.max(2 * (high - low), 1.5 * Math.abs(high));
    const near = limits.filter((one) => low - reach <= one && one <= high + reach);
    if (near.length || !limits.length || reach) return near;
    return [limits.reduce((a, b) => (Math.abs(b - high) < Math.abs(a - high) ? b : a))];
  }

  const CLOCK = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, DAY];

  function decimal(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * (1 - 1e-9));
  }

  function step(rough, unit) {
    if (!(rough > 0) || !Number.isFinite(rough)) return 1;
    if (unit === "ms" && rough >= 500) return 1000 * step(rough / 1000, "s");
    if (unit === "s" && rough > 0.5) return rough > DAY ? DAY * decimal(rough / DAY) : CLOCK.find((one) => one >= rough);
    if (unit !== "bytes" || rough <= 1) return decimal(rough);
    const power = 1024 ** Math.floor(Math.log2(rough) / 10);
    return [1, 2, 5, 10, 20, 50, 100, 200, 512, 1024].map((one) => one * power).find((one) => one >= rough * (1 - 1e-9));
  }

  function ticks(low, high, unit) {
    const by = step((high - low) / 4, unit);
    const found = [];
    for (let n = Math.ceil(low / by - 1e-9); n <= Math.floor(high / by + 1e-9); n++) found.push(n * by);
    return found;
  }

  function ends(data) {
    const known = [...real([...data.least, ...data.most]), ...within(data)];
    if (!known.length) return [0, 1];
    let low = Math.min(...known);
    const high = Math.max(...known);
    if (low >= 0 && low <= high * 0.6) low = 0;
    const room = high - low || Math.abs(high) || 1;
    return [low === 0 ? 0 : low - room * 0.08, high + room * 0.08];
  }

  function draw() {
    const root = host?.shadowRoot;
    plot?.destroy();
    plot = null;
    if (!root) return; // it is being opened, and drawn then
    const place = root.querySelector(".plot");
    const data = JSON.parse(text);
    units = data.words.units;
    if (!data.at.length || !place.clientWidth) return;
    const grid = { stroke: ink("grid"), width: 1 };
    const axis = { stroke: ink("text"), grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const hidden = { scale: "y", points: { show: false }, width: 0 };
    const lines = LINES.map((name) => ({
      scale: "y", stroke: ink(name), width: name === "mean" ? 1.5 : 1, points: { show: data.at.length < 3 },
      dash: name === "p95" ? [4, 3] : undefined,
    }));
    plot = new uPlot(
      {
        width: place.clientWidth, height: HEIGHT, legend: { show: false },
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), data.zone),
        scales: { x: { time: true, range: [data.since, data.until] }, y: { range: ends(data) } },
        axes: [
          { ...axis, values: times(data.zone), gap: 10 },
          { ...axis, splits: (_, __, low, high) => ticks(low, high, data.unit), values: (_, splits) => splits.map((value) => read(value, data.unit)), size: 68 },
        ],
        series: [{}, hidden, hidden, ...lines],
        bands: [{ series: [1, 2], fill: ink("range") }],
        cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
        hooks: {
          drawClear: [(u) => areas(u, data)],
          draw: [(u) => strip(u, data)],
          setCursor: [(u) => say(u, data)],
          setSelect: [(u) => closer(u)],
        },
      },
      [data.at, data.most, data.least, data.mean, data.p95],
      place,
    );
  }

  // ---- going there ----------------------------------------------------------------------------
  function closer(u) {
    if (u.select.width < 6) return;
    const [since, until] = [u.select.left, u.select.left + u.select.width].map((x) => Math.round(u.posToVal(x, "x")));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    go(`${location.pathname}?since=${since}&until=${until}`, true);
  }

  async function go(address, keep) {
    const answer = await fetch(address, { headers: { "X-Opsbook-Live": "1" } });
    if (!answer.ok || answer.redirected) return location.assign(address);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (keep) history.pushState(null, "", address);
    Idiomorph.morph(document.getElementById("main"), fresh.getElementById("main"));
    look();
  }

  function look() {
    const place = document.querySelector("[data-styles]");
    if (!place) {
      plot?.destroy();
      plot = host = null;
      return;
    }
    const given = place.querySelector("script").textContent;
    if (place === host && given === text) return;
    text = given;
    host = place;
    if (!host.shadowRoot && !opened.has(host)) {
      opened.add(host);
      open(host).catch(() => opened.delete(host));
    }
    draw();
  }

  addEventListener("click", (event) => {
    const link = event.target.closest?.(".look-at a");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(link.getAttribute("href"), true);
  });
  addEventListener("popstate", () => go(location.href, false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => host && draw());
  new MutationObserver(look).observe(document.getElementById("main"), { childList: true, subtree: true, characterData: true });
  look();
})();
