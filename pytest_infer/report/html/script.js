// Sorts, filters, opens rows, and draws pictures when they come into view. Needs nothing from anywhere.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- light and dark ------------------------------------------------------------------------------------------------

  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const themeButton = one("#theme");

  function remembered(theme) {
    try { // a file's storage may be closed to it
      if (theme) localStorage.setItem("pytest-infer-theme", theme);
      return localStorage.getItem("pytest-infer-theme");
    } catch {
      return null;
    }
  }

  function dark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  function showTheme() {
    themeButton.setAttribute("aria-pressed", String(dark()));
    all(".picture.drawn").forEach(draw);
  }

  themeButton.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remembered(root.dataset.theme);
    showTheme();
  });
  system.addEventListener("change", showTheme);

  // --- pictures ------------------------------------------------------------------------------------------------------

  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;

  function colorOf(variable) {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  }

  // A drawing names its colours by CSS variables, so that they follow the theme.
  function coloured(value, key) {
    if (Array.isArray(value)) return value.map((inner) => coloured(inner, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, coloured(inner, name)]));
    }
    const variable = typeof value === "string" && /color$/.test(key) && value.startsWith("--");
    return variable ? colorOf(value) : value;
  }

  function plotly() {
    if (!window.Plotly) { // several megabytes: read when the first picture is wanted, not when the page opens
      const script = document.createElement("script");
      script.textContent = one("#plotly").textContent;
      document.head.append(script);
    }
    return window.Plotly;
  }

  function draw(plot) {
    const drawing = coloured(JSON.parse(one(".drawing", plot.parentElement).textContent), "");
    const style = getComputedStyle(root);
    const line = colorOf("--line");
    const axis = (given) => ({
      gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true, ...given,
      title: { ...given.title, standoff: 8, font: { size: 13 } },
    });
    const layout = {
      ...drawing.layout,
      xaxis: axis(drawing.layout.xaxis),
      yaxis: axis(drawing.layout.yaxis),
      font: { family: style.fontFamily, size: 13, color: colorOf("--text") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: colorOf("--surface"), bordercolor: colorOf("--muted"), font: { color: colorOf("--text") } },
      legend: { orientation: "h", x: 0, xref: "container", y: 0, yref: "container", yanchor: "bottom" },
      margin: { l: 24, r: 12, t: 12, b: 24 },
      height: plot.clientWidth < 420 ? 440 : 380,
      showlegend: true,
      dragmode: false,
    };
    plotly().react(plot, drawing.data, layout, { displayModeBar: false, responsive: true });
    plot.classList.add("drawn");
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "200px" });
  all(".picture").forEach((plot) => seen.observe(plot));

  // --- rows ----------------------------------------------------------------------------------------------------------

  const table = one("#table");
  const bodies = table ? [...table.tBodies] : [];

  function toggle(body) {
    const button = one("th button", body);
    const open = button.getAttribute("aria-expanded") !== "true";
    const source = one("script", body); // kept as text: a thousand of them would take long to build
    if (open && source) {
      const template = document.createElement("template");
      template.innerHTML = source.textContent;
      source.replaceWith(template.content);
      all(".picture", body).forEach((plot) => seen.observe(plot));
    }
    one(".detail", body).hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  }

  table?.addEventListener("click", (event) => {
    const row = event.target.closest("tbody > tr:not(.detail)");
    if (row && !(getSelection()?.toString() && !event.target.closest("button"))) toggle(row.parentElement);
  });

  // --- filters -------------------------------------------------------------------------------------------------------

  const texts = new Map(bodies.map((body) => [body, one("th", body).textContent.toLowerCase()]));
  const chips = all(".chip");
  const find = one("#find");
  const device = one("#device");

  function filter() {
    const outcomes = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.only);
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const body of bodies) {
      const wanted = !outcomes.length || outcomes.some((name) => (name === "failed" ? "failed" in body.dataset : name === body.dataset.outcome));
      const here = !device?.value || device.value === body.dataset.device;
      body.hidden = !(wanted && here && words.every((word) => texts.get(body).includes(word)));
      count += !body.hidden;
    }
    one("#shown").textContent = count === bodies.length ? `${count} shown` : `${count} of ${bodies.length} shown`;
    one("#none").hidden = count > 0;
    one("#clear").hidden = !outcomes.length && !words.length && !device?.value;
  }

  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  }
  find?.addEventListener("input", filter);
  device?.addEventListener("change", filter);
  one("#clear")?.addEventListener("click", () => {
    chips.forEach((chip) => chip.setAttribute("aria-pressed", "false"));
    find.value = "";
    if (device) device.value = "";
    filter();
    find.focus();
  });

  // --- order ---------------------------------------------------------------------------------------------------------

  const headers = table ? [...table.tHead.rows[0].cells] : [];

  function sort(column, descending) {
    const number = !headers[column].classList.contains("text");
    const keyOf = (body) => {
      const cell = body.rows[0].cells[column];
      if (!number) return cell.textContent;
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    const keyed = bodies.map((body) => [keyOf(body), body]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // what is not known comes last, either way
      const order = number ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return descending ? -order : order;
    });
    table.append(...keyed.map(([, body]) => body));
    headers.forEach((header, i) => header.setAttribute("aria-sort", i !== column ? "none" : descending ? "descending" : "ascending"));
  }

  headers.forEach((header, column) => {
    one("button", header).addEventListener("click", () => sort(column, header.getAttribute("aria-sort") === "ascending"));
  });

  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  showTheme();
})();
