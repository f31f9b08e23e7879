"use strict";
(async () => {
  const root = document.documentElement;
  const asked = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : asked.matches);
  const remember = (theme) => { try { localStorage.setItem("c10k-theme", theme); } catch { /* a page from a file may have no memory */ } };
  try { const theme = localStorage.getItem("c10k-theme"); if (theme === "dark" || theme === "light") root.dataset.theme = theme; } catch { /* likewise */ }

  // Tables: a click on a heading sorts, a second one turns the order round. What is not known stays last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.order;
      const compare = (a, b) => {
        const [x, y] = [Number(key(a)), Number(key(b))];
        if (Number.isNaN(x) || Number.isNaN(y)) {
          const missing = (key(a) === "inf") - (key(b) === "inf");
          return missing || (Number.isNaN(x) && Number.isNaN(y) ? key(a).localeCompare(key(b)) * (down ? -1 : 1) : 0);
        }
        return (x - y) * (down ? -1 : 1);
      };
      [...body.rows].sort(compare).forEach((row) => body.append(row));
    }));
  }

  // Charts: the specifications are packed; each replaces its picture, in the page's theme.
  const coded = JSON.parse(document.getElementById("payload").textContent);
  const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const payload = JSON.parse(await new Response(stream).text());
  const views = new Map();
  let picked = [];

  const share = (from, name, value) => {
    // A strategy picked in one legend is picked in every chart.
    picked = value && value.strategy ? value.strategy : [];
    for (const [other, view] of views) {
      if (other === from) continue;
      try {
        if (JSON.stringify(view.signal("strategy_pick")?.strategy ?? []) === JSON.stringify(picked)) continue;
        const store = picked.map((strategy) => ({ unit: "", fields: [{ type: "E", field: "strategy" }], values: [strategy] }));
        view.data("strategy_pick_store", store).runAsync();
      } catch { /* this chart has nothing to pick */ }
    }
  };

  const draw = async (name) => {
    const place = document.getElementById(`chart-${name}`);
    views.get(name)?.finalize();
    const own = structuredClone(payload.specs[name]);
    // Small multiples do not follow their container by themselves; beside them stand an axis and a legend.
    for (const panel of own.vconcat ?? []) panel.width = Math.max(100, Math.min(660, place.clientWidth - 100));
    if (own.spec) own.spec.width = Math.max(100, Math.min(640, place.clientWidth - 160));
    // What is folded has no width to fit itself to.
    if (own.width === "container" && !place.clientWidth) own.width = Math.min(760, document.querySelector("main").clientWidth - 220);
    const { view } = await window.vegaEmbed(place, own, {
      actions: false, renderer: "svg", ast: true, logLevel: 1, config: isDark() ? payload.dark : payload.light, tooltip: { theme: isDark() ? "dark" : "light" },
    });
    place.classList.remove("static");
    views.set(name, view);
    const svg = place.querySelector("svg");
    // One picture with one name: the parts inside it are not for reading out, the table under it is.
    svg?.querySelectorAll("[role]").forEach((part) => { part.removeAttribute("role"); part.removeAttribute("aria-roledescription"); part.removeAttribute("aria-label"); });
    svg?.setAttribute("role", "img");
    svg?.setAttribute("aria-label", payload.specs[name].description);
    try { view.addSignalListener("strategy_pick", (signal, value) => share(name, signal, value)); } catch { /* nothing to pick */ }
  };
  const drawAll = async () => { for (const name of Object.keys(payload.specs)) await draw(name); root.dataset.drawn = isDark() ? "dark" : "light"; };

  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`); };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remember(root.dataset.theme); label(); drawAll(); });
  asked.addEventListener("change", () => { label(); drawAll(); });
  label();

  // On paper everything is open, and light.
  let before;
  window.addEventListener("beforeprint", () => {
    before = { theme: root.dataset.theme, closed: [...document.querySelectorAll("details:not([open])")] };
    root.dataset.theme = "light";
    before.closed.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => {
    if (before.theme) root.dataset.theme = before.theme; else delete root.dataset.theme;
    before.closed.forEach((one) => { one.open = false; });
  });
  await drawAll();
})();
