/* Charts: uPlot drawn from attributes, kept complete while values are pushed. Loaded only by pages that have a chart:

     <link rel="stylesheet" href="{% static 'npm/uplot/dist/uPlot.min.css' %}"> <link rel="stylesheet" href="{% static 'core/charts.css' %}">
     <script defer src="{% static 'npm/uplot/dist/uPlot.iife.min.js' %}"></script> <script type="module" src="{% static 'core/charts.js' %}"></script>

   What the page carries. Times are unix seconds (decimals allowed), everywhere. POINTS is [[time, value|null], ...], ascending; null breaks the line.

     <section class="w" id="w-12" data-interval data-grace data-at data-state>
       <header> ...
         <span class="legend" data-legend><button type="button" data-name="cpu" class="s-1">CPU</button> ...</span>     (optional: shows and hides)
         <span class="ranges" data-ranges><button type="button" data-seconds="300">5m</button> ... 900 3600 86400 2592000</span>   (optional)
       </header>
       <div class="chart" id="w-12-chart" data-chart hx-morph-skip-children role="img" aria-label="CPU, percent, last 15 minutes"
            data-points-url="/dashboards/7/12/points/"
            data-series='[{"name": "cpu", "label": "CPU", "color": 1}, ...]'      color: 1-6, a --series-n variable; "area": true fills
            data-range="900"                                                      seconds shown
            data-unit="%" data-decimals="1" data-min="0" data-max="100"           all optional; min and max are soft ends of the scale
            data-stacked                                                          optional: each line stands on the one before it
            data-thresholds='[{"value": 80, "level": "warn"}, {"value": 90, "level": "bad"}]'        optional
            data-points='ANSWER'></div>                                           the first paint, see ANSWER
       <i hidden id="w-12-new-cpu" data-series="cpu" data-new='{}'></i>           one per series, siblings of the chart, never inside it
       <i hidden id="w-12-changed" data-changed='{}'></i>                         one per tile
     </section>

   ANSWER, in data-points and from GET data-points-url?from=&to=&width=<pixels>:
     {"from": t, "to": t, "step": 0, "series": {"cpu": POINTS, ...}}       covers [from, to]; step: seconds of one bucket when downsampled, else 0

   What a push carries (each replaces its own element, so that no series overwrites another's news):
     widget.value    <i hidden id="w-12-new-cpu" hx-swap-oob="outerMorph" data-series="cpu" data-at="<ISO>" data-state="live"
                        data-new='{"prev": t|null, "points": POINTS}'></i>
                     `points`: the newest few (one will do); `prev`: time of the sample before the first of them, null when there is none.
                     A chart whose newest point is older than `prev` fetches what it misses by itself. The same (series, time) replaces.
     series.changed  <i hidden id="w-12-changed" hx-swap-oob="outerMorph" data-changed='{"from": t, "to": t}'></i>     the chart fetches that span again
   A new series is an element that is not on the page, which makes live.js refetch the region: nothing to do.
   Freshness: of the tile and the `i[data-at]` in it the newest data-at counts, with its data-state (times.js), so a push need not send the tile again.
   A whole-tile push (widget.config) or a refetch may carry newer data-points, data-series, ...: they are read again after every swap. */

import { merge, missing, replaceSpan, since, stacked, table, thin, union, valueAt } from "./points.js";
import { now, written } from "./times.js";

const charts = new Map(); // root -> Chart, which is also the root's property `chart`, for tests
const seconds = () => now() / 1000;
const CLOCK = written({ hour: "numeric", minute: "2-digit" });
const FINE = written({ hour: "numeric", minute: "2-digit", second: "2-digit" });
const DAY = written({ day: "numeric", month: "short" });
const EXACT = written({ dateStyle: "medium", timeStyle: "medium" });
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 2 });
const parsed = (text, otherwise) => (text ? JSON.parse(text) : otherwise);

// --- drawing: only what is on the screen, and of that so much per frame that the page stays quick ---

const BUDGET = 8; // milliseconds
const due = new Set(); // charts, in the order in which they are drawn
let frame = 0;

function drawSoon(chart) {
  due.add(chart);
  frame ||= requestAnimationFrame(drawSome);
}

async function drawSome() {
  const start = performance.now();
  try {
    for (const chart of due) {
      if (performance.now() - start > BUDGET) break;
      due.delete(chart);
      chart.paint();
      await null; // uPlot draws in a microtask: now it has
    }
  } finally {
    frame = due.size ? requestAnimationFrame(drawSome) : 0;
  }
}

const screen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) charts.get(target)?.appear(isIntersecting);
  },
  { rootMargin: "200px" },
);

const colours = new Map(); // variable -> colour, until the theme changes

class Chart {
  points = new Map(); // series name -> points
  heard = new Map(); // series name -> the news taken in last
  hidden = new Set();
  step = 0; // seconds of one bucket of what we hold
  wanted = null; // the span to fetch next
  failures = 0;
  width = 600; // until its size is told, before which nothing is drawn
  height = 0;

  constructor(root) {
    this.root = root;
    this.tile = root.closest(".w") ?? root.parentElement;
    // Told, and not asked for: a size that is asked for in the midst of a swap makes the browser lay the page out.
    this.sizes = new ResizeObserver(([{ contentRect }]) => this.fit(contentRect));
    this.read();
    this.last();
    this.sizes.observe(root);
    screen.observe(root);
    if (!root.dataset.points) this.reload();
  }

  get range() {
    return this.chosen ?? Number(this.root.dataset.range || 900);
  }

  get end() {
    const newest = Math.max(...[...this.points.values()].map((points) => points.at(-1)?.[0] ?? 0));
    return newest || seconds();
  }

  /** What was not heard of for some time shows the range up to its newest value; the page brings the range up to now. */
  last() {
    const { from, to } = this.brought ?? {};
    if (to - this.end > this.range / 50) this.want({ from: this.end - this.range, to: Math.min(from, this.end) });
  }

  // --- what comes in ---

  /** Read the attributes, as they are after the first paint and after every swap. */
  read() {
    const { series, points, unit, decimals, min, max, thresholds, stacked: stack } = this.root.dataset;
    const shape = [series, unit, decimals, min, max, thresholds, stack].join();
    if (shape !== this.shape) this.shaped((this.shape = shape));
    if (points && points !== this.seen) this.absorb(JSON.parse((this.seen = points)));
    // The newest values may lie outside of what the page brought along: before its range, or a little ahead of its clock.
    this.tile.querySelectorAll("i[data-series][data-new]").forEach((element) => this.hear(element.dataset));
    this.press();
  }

  /** Take the news of a series in, once. */
  hear({ series, new: news }) {
    if (this.heard.get(series) === news) return;
    this.heard.set(series, news);
    this.push(series, JSON.parse(news));
  }

  /** Take an ANSWER in; `whole`: it is all there is to show. */
  absorb(answer, { whole = false } = {}) {
    this.brought ??= { from: answer.from, to: answer.to };
    // What was chosen here is wider or finer than what the page brings along.
    if (!whole && this.chosen && this.step) return this.want({ from: this.end, to: answer.to });
    for (const [name, fresh] of Object.entries(answer.series)) {
      const old = this.points.get(name) ?? [];
      const last = old.at(-1)?.[0];
      if (!whole && last < answer.from - (answer.step || this.step)) this.want({ from: last, to: answer.from });
      this.points.set(name, this.joined(old, fresh, answer, whole));
    }
    this.step = answer.step ?? 0;
    this.draw();
  }

  joined(old, fresh, answer, whole) {
    if (whole) return merge(fresh, old.filter(([at]) => at > answer.to));
    return answer.step ? replaceSpan(old, answer, fresh) : merge(old, fresh);
  }

  /** Take pushed points in; what is missing before them is fetched. */
  push(name, news) {
    if (!news.points?.length) return;
    const old = this.points.get(name) ?? [];
    const hole = missing(old, news, this.step);
    this.points.set(name, merge(old, news.points));
    const first = this.end - this.range;
    if (hole) this.want({ from: Math.max(hole.from, first), to: hole.to });
    const shown = since(this.points.get(name), first);
    // What is pushed is not downsampled: before it is more than the eye can see, that is done here.
    this.points.set(name, shown.length > 3 * this.width + 300 ? thin(shown, this.range / this.width) : shown);
    this.draw();
  }

  // --- what is fetched ---

  reload() {
    this.whole = true;
    this.want(this.span);
  }

  /** What there is to show: the range up to the newest value. */
  get span() {
    return { from: this.end - this.range, to: this.end };
  }

  /** A span changed behind what we know; one that begins before all that is shown stands for everything. */
  changed(span) {
    if (span.from <= this.end - this.range) this.reload();
    else this.want(span);
  }

  want(span) {
    this.wanted = union(this.wanted, span);
    // Several series miss the same span at the same moment; so do all who watch.
    this.timer ??= setTimeout(() => this.fetch(), Math.random() * 250 + (this.failures && Math.min(30_000, 500 * 2 ** this.failures)));
  }

  async fetch() {
    const span = this.wanted;
    const whole = this.whole;
    this.wanted = null;
    this.whole = false;
    const answer = await this.ask(whole ? this.span : span);
    this.timer = null;
    this.failures = answer ? 0 : this.failures + 1;
    if (!this.root.isConnected) return;
    if (answer) this.absorb(answer, { whole });
    else this.whole ||= whole;
    if (!answer) this.want(span);
    else if (this.wanted) this.want(this.wanted);
  }

  async ask({ from, to }) {
    const url = new URL(this.root.dataset.pointsUrl, location.href);
    for (const [name, value] of Object.entries({ from, to, width: Math.max(this.width, 100) })) url.searchParams.set(name, value);
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" } });
      const answer = response.ok ? await response.json() : {};
      if (answer.series) return answer;
      console.warn("charts:", url.pathname, response.status);
    } catch (error) {
      console.warn("charts:", error);
    }
    return null;
  }

  // --- what is shown ---

  shaped() {
    this.series = parsed(this.root.dataset.series, []);
    this.thresholds = parsed(this.root.dataset.thresholds, []);
    this.plot?.destroy();
    this.plot = null;
    this.draw();
  }

  build() {
    this.plot = new uPlot(this.options(), this.data(), this.root);
    this.tip = Object.assign(document.createElement("div"), { className: "chart-tip", hidden: true });
    this.plot.over.append(this.tip);
  }

  options() {
    const { width, height } = this;
    const ink = { stroke: () => this.css("--ink-3"), grid: { stroke: () => this.css("--rule"), width: 1 }, ticks: { show: false } };
    const font = `12px ${getComputedStyle(this.root).fontFamily}`;
    return {
      width,
      height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true, range: () => [this.end - this.range, this.end] }, y: { range: (_, low, high) => this.scale(low, high) } },
      axes: [
        { ...ink, font, grid: { show: false }, size: 24, space: 90, values: (_, times) => times.map((at) => this.mark(at)) },
        { ...ink, font, size: 48, values: (_, values) => values.map((value) => SHORT.format(value)) },
      ],
      series: [{}, ...this.series.map((series) => this.line(series))],
      bands: "stacked" in this.root.dataset ? this.series.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [],
      hooks: { setCursor: [() => this.point()], drawAxes: [() => this.lines()] },
    };
  }

  line({ name, label, color = 1, area }) {
    const stroke = () => this.css(`--series-${color}`);
    const fill = area ? () => `color-mix(in srgb, ${stroke()} 12%, transparent)` : undefined;
    return { label: label ?? name, stroke, fill, width: 1.75, show: !this.hidden.has(name), points: { show: false } };
  }

  css(name) {
    if (!colours.has(name)) colours.set(name, getComputedStyle(this.root).getPropertyValue(name).trim() || "#888");
    return colours.get(name);
  }

  scale(low, high) {
    const { min, max } = this.root.dataset;
    const soft = (text) => (text ? { soft: Number(text), mode: 1 } : { mode: 0 });
    if (low === null) return [Number(min || 0), Number(max || 1)];
    return uPlot.rangeNum(low, high, { min: { pad: 0.1, ...soft(min) }, max: { pad: 0.1, ...soft(max) } });
  }

  /** What stands below a tick: nothing where the edge would cut it off. */
  mark(at) {
    return at > this.end - (24 * this.range) / this.width ? "" : this.time(at);
  }

  time(at) {
    const style = this.range > 2 * 86_400 ? DAY : this.range <= 300 ? FINE : CLOCK;
    return style.format(at * 1000);
  }

  value(value) {
    const { decimals, unit } = this.root.dataset;
    if (value === null) return "–";
    return `${value.toLocaleString(undefined, { maximumFractionDigits: Number(decimals ?? 2) })}${unit ? ` ${unit}` : ""}`;
  }

  data() {
    this.table = table(this.series.map(({ name }) => this.points.get(name) ?? []));
    return "stacked" in this.root.dataset ? stacked(this.table, this.series.map(({ name }) => !this.hidden.has(name))) : this.table;
  }

  /** Show what there is with one of the next frames; off the screen when it comes back. */
  draw() {
    this.stale = true;
    if (this.visible) drawSoon(this);
  }

  appear(visible) {
    this.visible = visible;
    if (visible && this.stale) drawSoon(this);
  }

  paint() {
    if (!this.stale || !this.height || !this.root.isConnected) return;
    this.stale = false;
    if (this.plot) this.plot.setData(this.data());
    else this.build();
  }

  fit(size) {
    this.width = Math.max(Math.floor(size.width), 50);
    this.height = Math.max(Math.floor(size.height), 60);
    const { plot, width, height } = this;
    if (plot && (width !== plot.width || height !== plot.height)) plot.setSize({ width, height });
    if (this.visible && this.stale) drawSoon(this);
  }

  /** The limits as dashed lines. */
  lines() {
    const { ctx, bbox } = this.plot;
    ctx.save();
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { value, level } of this.thresholds) {
      const y = this.plot.valToPos(value, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = this.css(level === "warn" ? "--warn" : "--bad");
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** The values under the pointer. */
  point() {
    const { idx, left } = this.plot.cursor;
    this.tip.hidden = idx == null || left < 0 || !this.plot.data[0].length;
    if (this.tip.hidden) return;
    const rows = this.series.map((series, index) => this.row(series, valueAt(this.table[index + 1], idx))).filter(Boolean);
    const time = Object.assign(document.createElement("time"), { textContent: EXACT.format(this.plot.data[0][idx] * 1000) });
    this.tip.replaceChildren(time, ...rows);
    const beside = left > this.plot.over.clientWidth / 2 ? left - this.tip.offsetWidth - 12 : left + 12;
    this.tip.style.left = `${Math.max(0, beside)}px`;
  }

  row({ name, label, color = 1 }, value) {
    if (this.hidden.has(name)) return null;
    const row = Object.assign(document.createElement("span"), { className: `s-${color}`, textContent: label ?? name });
    row.append(Object.assign(document.createElement("b"), { textContent: this.value(value) }));
    return row;
  }

  // --- what people press ---

  choose(range) {
    this.chosen = range;
    this.press();
    this.reload();
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.plot?.setSeries(this.series.findIndex((series) => series.name === name) + 1, { show: !this.hidden.has(name) });
    if ("stacked" in this.root.dataset) this.draw();
    this.press();
  }

  /** Show on the buttons what is chosen: a swap may have brought new ones. */
  press() {
    for (const button of this.tile.querySelectorAll("[data-ranges] [data-seconds]")) set(button, Number(button.dataset.seconds) === this.range);
    for (const button of this.tile.querySelectorAll("[data-legend] [data-name]")) set(button, !this.hidden.has(button.dataset.name));
  }

  close() {
    clearTimeout(this.timer);
    this.sizes.disconnect();
    screen.unobserve(this.root);
    due.delete(this);
    this.plot?.destroy();
  }
}

function set(button, pressed) {
  if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", pressed);
}

const chartOf = (element) => charts.get(element?.closest(".w")?.querySelector("[data-chart]"));

function prune() {
  for (const [root, chart] of charts) if (!root.isConnected) charts.delete(root) && chart.close();
}

/** Charts come and go with what is swapped. */
function scan() {
  prune();
  charts.forEach((chart) => chart.read());
  make();
}

/** Make the charts that are new: of many so much at a time that the page stays quick. */
function make() {
  const start = performance.now();
  for (const root of document.querySelectorAll("[data-chart]")) {
    if (charts.has(root)) continue;
    if (performance.now() - start > BUDGET) return setTimeout(make);
    charts.set(root, (root.chart = new Chart(root)));
  }
}

function news(id) {
  const element = document.getElementById(id);
  const chart = element && chartOf(element);
  if (!chart) return;
  if (element.dataset.new) chart.hear(element.dataset);
  if (element.dataset.changed) chart.changed(JSON.parse(element.dataset.changed));
}

// A frame of the live connection is swapped in pieces: looked at when it is whole, and only where it may have brought a chart.
document.addEventListener("htmx:after:swap", ({ detail }) => "catchUp" in detail.ctx || scan());
document.addEventListener("live:applied", ({ detail: { ids } }) => {
  if (ids.some((id) => document.getElementById(id)?.querySelector("[data-chart]"))) scan();
  else prune();
  ids.forEach(news);
});
document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-ranges] [data-seconds], [data-legend] [data-name]");
  const chart = chartOf(button);
  if (chart && button.dataset.seconds) chart.choose(Number(button.dataset.seconds));
  else if (chart) chart.toggle(button.dataset.name);
});
function recolour() {
  colours.clear();
  charts.forEach((chart) => chart.plot?.redraw());
}
addEventListener("beforeprint", () => {
  for (const [root, chart] of charts) {
    chart.fit({ width: root.clientWidth, height: root.clientHeight });
    chart.paint();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
scan();
