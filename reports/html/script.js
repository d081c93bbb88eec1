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
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target.classList.contains("query")) {
      if (target.hidden) clear();
      target.querySelector("details").open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("beforeprint", () => { for (const item of all("#actions details")) item.open = true; });

  const table = find("#query-table");
  const queries = () => Array.from(table.tBodies);
  const rest = JSON.parse(find("#rest").textContent);
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
  const query = ([text, total, calls, p50, p95, max, rows, place, fingerprint, faults]) => {
    const line = text.split(/\s+/).join(" ");
    const cells = [[time(total), "n"], [number(calls), "n"], [time(p50), "n less"], [time(p95), "n"], [time(max), "n less"], [number(rows), "n less"]];
    const first = make("tr", "", make("td", "statement", make("code", "", line.length > 160 ? line.slice(0, 159) + "…" : line),
      make("span", "under", place ? make("code", "place", make("bdi", "", place)) : "")));
    for (const [words, kind] of cells) first.append(make("td", kind, words));
    const wide = make("td", "", make("details", "", make("summary", "", "Statement"), make("pre", "sql", make("code", "", text)),
      make("p", "small", "Fingerprint ", make("code", "", fingerprint))));
    wide.colSpan = 7;
    const body = make("tbody", "query", first, make("tr", "more", wide));
    body.id = "query-" + fingerprint;
    body.dataset.values = [total, calls, p50, p95, max, rows].map((value) => value || 0).join(" ");
    body.dataset.faulty = faults;
    return body;
  };
  const more = show(find("#more"));
  const add = (count) => {
    const part = document.createDocumentFragment();
    for (const values of rest.splice(0, count)) part.append(query(values));
    table.append(part);
    if (more) more.hidden = rest.length === 0;
  };
  if (more) more.addEventListener("click", () => { add(500); filter(); });

  show(find("#filter"));
  const search = find("#search"), faulty = find("#faulty");
  const fold = (text) => text.toLowerCase().replace(/\s+/g, " ");
  const texts = new WeakMap();
  const textOf = (body) => {
    if (!texts.has(body)) texts.set(body, fold(body.textContent));
    return texts.get(body);
  };
  const filter = () => {
    const wanted = fold(search.value).trim();
    if ((wanted || faulty.checked) && rest.length) add(rest.length);
    let count = 0;
    const bodies = queries();
    for (const body of bodies) {
      body.hidden = (faulty.checked && body.dataset.faulty === "0") || !textOf(body).includes(wanted);
      if (!body.hidden) count += 1;
    }
    find("#shown").textContent = number(count) + " of " + number(bodies.length + rest.length) + " shown";
  };
  const clear = () => { search.value = ""; faulty.checked = false; filter(); };
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, rest.length + queries().length > 1000 ? 150 : 0); });
  faulty.addEventListener("change", filter);
  filter();

  for (const head of all("th[data-sort]")) {
    head.tabIndex = 0;
    const sort = () => {
      if (rest.length) add(rest.length);
      const at = Number(head.dataset.sort) - 1, down = head.getAttribute("aria-sort") !== "descending";
      for (const other of all("th[data-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = queries().map((body) => [Number(body.dataset.values.split(" ")[at]), body]);
      keyed.sort((a, b) => down ? b[0] - a[0] : a[0] - b[0]);
      table.append(...keyed.map((pair) => pair[1]));
      filter();
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
