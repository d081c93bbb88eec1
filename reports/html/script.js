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
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target && target.tagName === "TR") { const inner = target.querySelector("details"); if (inner) inner.open = true; }
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const item of all("#actions details")) item.open = true; });

  const body = find("#query-table tbody");
  const rest = JSON.parse(find("#rest").textContent);
  const time = (ms) => ms === null ? "–" : ms >= 999.5 ? Number((ms / 1000).toPrecision(3)) + " s" : Number(ms.toPrecision(3)) + " ms";
  const number = (value) => value === null ? "–" : String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const cell = (text, kind) => { const one = document.createElement("td"); one.textContent = text; one.className = kind; return one; };
  const row = (values) => {
    const line = document.createElement("tr");
    line.id = "query-" + values[8];
    line.dataset.values = values.slice(1, 7).map((value) => value || 0).join(" ");
    const statement = cell("", "statement"), details = document.createElement("details");
    const summary = document.createElement("summary"), code = document.createElement("code"), pre = document.createElement("pre");
    code.textContent = values[0].replace(/\s+/g, " ").slice(0, 90);
    pre.textContent = values[0];
    summary.append(code); details.append(summary, pre); statement.append(details);
    line.append(statement, cell(time(values[1]), "n"), cell(number(values[2]), "n"), cell(time(values[3]), "n"),
      cell(time(values[4]), "n"), cell(time(values[5]), "n"), cell(number(values[6]), "n"), cell(values[7], ""));
    return line;
  };
  const more = show(find("#more"));
  const add = (count) => {
    const part = document.createDocumentFragment();
    for (const values of rest.splice(0, count)) part.append(row(values));
    body.append(part);
    if (more) more.hidden = rest.length === 0;
  };
  if (more) more.addEventListener("click", () => { add(500); filter(); });

  show(find("#filter"));
  const search = find("#search");
  const filter = () => {
    const wanted = search.value.toLowerCase().replace(/\s+/g, " ").trim();
    if (wanted && rest.length) add(rest.length);
    let count = 0;
    for (const line of body.rows) {
      line.hidden = !line.textContent.toLowerCase().replace(/\s+/g, " ").includes(wanted);
      if (!line.hidden) count += 1;
    }
    find("#shown").textContent = count + " shown";
  };
  search.addEventListener("input", filter);
  filter();

  for (const head of all("th[data-sort]")) {
    head.tabIndex = 0;
    const sort = () => {
      if (rest.length) add(rest.length);
      const at = Number(head.dataset.sort) - 1, down = head.getAttribute("aria-sort") !== "descending";
      for (const other of all("th[data-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (line) => Number(line.dataset.values.split(" ")[at]);
      body.append(...Array.from(body.rows).sort((a, b) => down ? value(b) - value(a) : value(a) - value(b)));
      filter();
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  }
})();
