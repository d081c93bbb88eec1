"use strict";
(function () {
  const find = (query) => document.querySelector(query);
  const all = (query) => Array.from(document.querySelectorAll(query));
  const show = (element) => { if (element) element.hidden = false; return element; };

  const theme = show(find("#theme"));
  const dark = () => document.documentElement.dataset.theme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  label();
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; label(); });

  for (const button of all(".copy")) {
    show(button).addEventListener("click", () => {
      const text = button.closest("figure").querySelector("code").textContent;
      const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
      if (navigator.clipboard && isSecureContext) { navigator.clipboard.writeText(text).then(done); return; }
      const area = document.createElement("textarea");
      area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); done();
    });
  }

  const open = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const entry = entries.find((one) => one.id === name);
    if (entry) reveal(entry);
    const target = name && document.getElementById(name);
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (entry) target.querySelector("details").open = true;
    target.scrollIntoView();
  };
  addEventListener("beforeprint", () => { for (const item of all("#actions details")) item.open = true; });

  const table = find("#query-table");
  const figure = (value) => {
    let text = String(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3)));
    if (text.includes("e")) text = value.toFixed(6).replace(/\.?0+$/, "");
    return text.replace(/\B(?=(\d{3})+$)/g, text.includes(".") ? "" : "\u202f");
  };
  const time = (ms) => ms === null ? "–" : ms >= 999.5 ? figure(Number((ms / 1000).toPrecision(3))) + " s" : figure(ms) + " ms";
  const number = (value) => value === null ? "–" : figure(value);
  const make = (tag, kind, ...inner) => {
    const one = document.createElement(tag);
    if (kind) one.className = kind;
    one.append(...inner);
    return one;
  };
  const query = ([text, total, calls, p50, p95, max, rows, place, fingerprint]) => {
    const line = text.split(/\s+/).join(" ");
    const cells = [[time(total), "n"], [number(calls), "n"], [time(p50), "n"], [time(p95), "n"], [time(max), "n"], [number(rows), "n"]];
    const first = make("tr", "", make("td", "statement", make("code", "", line.length > 160 ? line.slice(0, 159) + "…" : line),
      make("span", "under", place ? make("code", "place", make("bdi", "", place)) : "")));
    for (const [words, kind] of cells) first.append(make("td", kind, words));
    const wide = make("td", "", make("details", "", make("summary", "", "Statement"), make("pre", "sql", make("code", "", text)),
      make("p", "small", "Fingerprint ", make("code", "", fingerprint))));
    wide.colSpan = 7;
    const body = make("tbody", "query", first, make("tr", "more", wide));
    body.id = "query-" + fingerprint;
    return body;
  };

  const fold = (text) => text.toLowerCase().replace(/\s+/g, " ");
  const entries = Array.from(table.tBodies, (body) => ({
    id: body.id, body, faulty: body.dataset.faulty !== "0", values: body.dataset.values.split(" ").map(Number),
  })).concat(JSON.parse(find("#rest").textContent).map((data) => ({
    id: "query-" + data[8], data, faulty: data[9] > 0, values: data.slice(1, 7).map((value) => value || 0),
  })));
  const textOf = (entry) => {
    if (entry.text === undefined) entry.text = fold(entry.body ? entry.body.textContent : entry.data[0] + " " + entry.data[7]);
    return entry.text;
  };
  const more = find("#more"), search = find("#search"), faulty = find("#faulty"), shown = find("#shown");
  let limit = 200;
  const draw = () => {
    const wanted = fold(search.value).trim();
    const found = entries.filter((entry) => (!faulty.checked || entry.faulty) && textOf(entry).includes(wanted));
    const part = found.slice(0, limit);
    for (const entry of part) if (!entry.body) entry.body = query(entry.data);
    table.replaceChildren(table.tHead, ...part.map((entry) => entry.body));
    if (more) more.hidden = part.length === found.length;
    const all = found.length === entries.length;
    shown.textContent = (all ? number(part.length) + " of " : number(found.length) + " of ") + number(entries.length) +
      (all ? " shown" : " found") + (all || part.length === found.length ? "" : ", " + number(part.length) + " shown");
  };
  const reveal = (entry) => {
    if (entry.body && entry.body.isConnected) return;
    search.value = "";
    faulty.checked = false;
    limit = Math.max(limit, entries.indexOf(entry) + 1);
    draw();
  };
  let waiting = 0;
  const again = () => { limit = 200; draw(); };
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(again, entries.length > 1000 ? 120 : 0); });
  faulty.addEventListener("change", again);
  if (more) more.addEventListener("click", () => { limit += 500; draw(); });
  show(find("#filter"));
  draw();

  for (const head of all("th[data-sort]")) {
    head.tabIndex = 0;
    const sort = () => {
      const at = Number(head.dataset.sort) - 1, down = head.getAttribute("aria-sort") !== "descending";
      for (const other of all("th[data-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      entries.sort((a, b) => down ? b.values[at] - a.values[at] : a.values[at] - b.values[at]);
      again();
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  }

  const twin = (element) => {
    const part = element.closest && element.closest(".node, .raw a");
    if (!part) return [];
    const other = document.getElementById(part.id.replace(/-(node|line)-(\d+)$/, (_, kind, id) => (kind === "node" ? "-line-" : "-node-") + id));
    return [part, other].filter(Boolean);
  };
  for (const [name, on] of [["mouseover", true], ["mouseout", false]]) {
    document.addEventListener(name, (event) => { for (const part of twin(event.target)) part.classList.toggle("here", on); });
  }

  addEventListener("hashchange", open);
  open();
})();
