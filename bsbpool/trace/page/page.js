// The page that shows a trace. In order: the data, the picture, what hands do to it, the words beside it.
//
// Whatever comes from the trace becomes text (textContent, fillText) or numbers, never markup. A frame costs what
// is visible: bars are painted into pixels, row by row, and everything on top is bounded in number.
"use strict";
(() => {

const $ = id => document.getElementById(id);
const [chart, overlay, stage, panel, tip] = ["chart", "overlay", "stage", "panel", "tip"].map($);

// -- the data ---------------------------------------------------------------------------------------------

let D = null; // the trace; see unpack

async function load() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser can't unpack the trace. Firefox 113, Chrome 80 and Safari 16.4 can, and newer ones.");
  }
  const text = atob($("data").textContent);
  $("data").remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return unpack(await new Response(stream).json());
}

// Columns as columns.py wrote them: back to absolute times (nanoseconds since the first pool was opened).
function unpack(raw) {
  const c = raw.jobs, count = c.status.length;
  const d = {...raw, count, pool: new Int32Array(count), id: new Int32Array(count), rank: new Int32Array(count).fill(-1)};
  for (const key of ["queued", "sent", "start", "end", "received"]) d[key] = new Float64Array(count);
  for (const key of ["name", "kind", "context", "error", "cache", "status"]) d[key] = Int32Array.from(c[key]);
  d.STATUS = Object.fromEntries(raw.statuses.map((status, place) => [status, place]));
  const {aborted, running} = d.STATUS;
  d.depStart = new Int32Array(count + 1);
  d.deps = new Int32Array(Math.max(0, c.deps.length - count));
  d.look = new Uint8Array(count); // 0: as its strategy, 1: aborted, 2: running when the trace stops, 3: failed
  let first = 0, at = 0, total = 0, t = 0, ran = 0;
  raw.pools.forEach((pool, number) => {
    pool.first = first;
    for (let i = first; i < first + pool.jobs; i++) {
      d.pool[i] = number;
      d.id[i] = i - first;
      t += c.queued[i];
      d.queued[i] = t;
      const n = c.deps[at++];
      for (let k = 0; k < n; k++) d.deps[total++] = i - c.deps[at++];
      d.depStart[i + 1] = total;
      if (c.sent[i] < 0) {
        d.sent[i] = d.start[i] = d.end[i] = -1;
        d.received[i] = t + c.received[i];
      } else {
        d.rank[i] = c.rank[ran];
        d.sent[i] = t + c.sent[i];
        d.start[i] = d.sent[i] + c.started[ran];
        d.end[i] = d.start[i] + c.ended[ran];
        d.received[i] = d.end[i] + c.received[i];
        ran++;
      }
      d.look[i] = d.status[i] === aborted ? 1 : d.status[i] === running ? 2 : 0;
    }
    first += pool.jobs;
  });
  d.ran = ran;
  for (const job of raw.failed) d.look[job] = 3;
  d.isCut = new Uint8Array(count); // it ran, and not to an end of its own
  for (const job of raw.cut) d.isCut[job] = 1;
  reverse(d);
  lanes(d);
  d.span = Math.max(1, raw.makespan);
  for (let i = 0; i < count; i++) if (d.end[i] > d.span) d.span = d.end[i];
  d.failures = pick(d, i => d.look[i] === 3).sort((a, b) => d.received[a] - d.received[b]);
  d.path = raw.pools.flatMap(pool => pool.path.map(id => pool.first + id));
  d.onPath = new Uint8Array(count);
  for (const job of d.path) d.onPath[job] = 1;
  strategies(d);
  tracks(d);
  delete d.jobs;
  return d;
}

function pick(d, wanted) {
  const found = [];
  for (let i = 0; i < d.count; i++) if (wanted(i)) found.push(i);
  return found;
}

// For each job the jobs that depend on it.
function reverse(d) {
  const start = d.nextStart = new Int32Array(d.count + 1);
  for (const dep of d.deps) start[dep + 1]++;
  for (let i = 0; i < d.count; i++) start[i + 1] += start[i];
  const at = start.slice(), next = d.next = new Int32Array(d.deps.length);
  for (let i = 0; i < d.count; i++) for (let k = d.depStart[i]; k < d.depStart[i + 1]; k++) next[at[d.deps[k]]++] = i;
}

// For each rank its bars, by start, how each looks, and how far those before it reach. A job that was lost with its
// rank and tried again has several.
function lanes(d) {
  const bars = [];
  for (let i = 0; i < d.count; i++) if (d.rank[i] >= 0) bars.push(i);
  const tries = d.tries, all = bars.length + tries.length;
  const rankOf = b => (b >= 0 ? d.rank[b] : tries[-1 - b][1]), from = b => (b >= 0 ? d.start[b] : tries[-1 - b][2]);
  tries.forEach((_, k) => bars.push(-1 - k)); // a try is a negative number
  const start = d.laneStart = new Int32Array(d.ranks + 1);
  for (const bar of bars) start[rankOf(bar) + 1]++;
  for (let r = 0; r < d.ranks; r++) start[r + 1] += start[r];
  const at = start.slice(), sorted = new Int32Array(all);
  for (const bar of bars) sorted[at[rankOf(bar)]++] = bar;
  const [s, e, reach] = [d.laneS, d.laneE, d.reach] = [0, 0, 0].map(() => new Float64Array(all));
  d.laneJobs = new Int32Array(all);
  d.laneLook = new Uint8Array(all);
  d.place = new Int32Array(d.count).fill(-1);
  for (let r = 0; r < d.ranks; r++) {
    const mine = sorted.subarray(start[r], start[r + 1]);
    let inOrder = true;
    for (let k = 1; k < mine.length && inOrder; k++) inOrder = from(mine[k]) >= from(mine[k - 1]);
    if (!inOrder) mine.sort((a, b) => from(a) - from(b) || a - b);
    let far = -1;
    for (let k = start[r]; k < start[r + 1]; k++) {
      const bar = sorted[k], job = bar >= 0 ? bar : tries[-1 - bar][0];
      d.laneJobs[k] = job;
      d.laneLook[k] = bar >= 0 ? d.look[job] : 1;
      s[k] = from(bar);
      e[k] = bar >= 0 ? d.end[job] : s[k] + tries[-1 - bar][3];
      reach[k] = far = Math.max(far, e[k]);
      if (bar >= 0) d.place[job] = k;
    }
  }
}

function strategies(d) {
  d.by = d.names.map(name => ({name, short: shorten(name), jobs: 0, ran: 0, cut: 0, total: 0, longest: -1, failed: 0}));
  d.busy = new Float64Array(d.ranks);
  d.outcome = d.statuses.map(() => 0);
  for (const [, rank, , took] of d.tries) d.busy[rank] += took;
  for (let i = 0; i < d.count; i++) {
    const strategy = d.by[d.name[i]];
    strategy.jobs++;
    d.outcome[d.status[i]]++;
    strategy.failed += d.look[i] === 3;
    if (d.rank[i] < 0) continue;
    const took = d.end[i] - d.start[i];
    d.busy[d.rank[i]] += took;
    if (d.isCut[i]) {
      strategy.cut++;
      continue;
    }
    strategy.ran++;
    strategy.total += took;
    if (strategy.longest < 0 || took > d.end[strategy.longest] - d.start[strategy.longest]) strategy.longest = i;
  }
}

// Numbers over time, as steps: [t], [value from t on], and the integral up to t, for means over a column of pixels.
function tracks(d) {
  const run = [], ready = [];
  for (let i = 0; i < d.count; i++) {
    if (d.rank[i] >= 0) run.push(d.start[i], d.end[i]);
    if (d.status[i] !== d.STATUS.pending) ready.push(d.queued[i], d.sent[i] >= 0 ? d.sent[i] : d.received[i]);
  }
  for (const [, , from, took] of d.tries) run.push(from, from + took);
  const held = cacheSteps(d);
  d.tracks = [
    {label: "busy", unit: "ranks busy", colour: "track", ...steps(run), most: d.workers},
    {label: "ready", unit: "jobs ready to run", colour: "ready", ...steps(ready)},
    {label: "cache", unit: "items cached, over all ranks", colour: "cache", ...held},
  ];
  for (const track of d.tracks) {
    let top = track.most || 0;
    for (const v of track.v) if (v > top) top = v;
    track.top = top;
    track.sum = new Float64Array(track.t.length);
    for (let k = 1; k < track.t.length; k++) track.sum[k] = track.sum[k - 1] + track.v[k - 1] * (track.t[k] - track.t[k - 1]);
  }
}

function steps(pairs) {
  const ups = Float64Array.from(pairs.filter((_, k) => k % 2 === 0)).sort();
  const downs = Float64Array.from(pairs.filter((_, k) => k % 2 === 1)).sort();
  const t = [0], v = [0];
  let i = 0, k = 0;
  while (k < downs.length) {
    const at = Math.min(i < ups.length ? ups[i] : Infinity, downs[k]);
    while (i < ups.length && ups[i] === at) i++;
    while (k < downs.length && downs[k] === at) k++;
    t.push(at);
    v.push(i - k);
  }
  return {t, v};
}

function cacheSteps(d) {
  const c = d.changes, held = Array.from({length: d.ranks}, () => null), t = [0], v = [0];
  let at = 0, total = 0;
  d.changeT = new Float64Array(c.t.length);
  for (let k = 0; k < c.t.length; k++) {
    at += c.t[k];
    d.changeT[k] = at;
    total += applyChange(d, held, k);
    t.push(at);
    v.push(total);
  }
  return {t, v};
}

// Makes a change of caches, and returns how many items there are more.
function applyChange(d, held, k) {
  const {rank, what, items} = d.changes;
  if (what[k] < 0) {
    const before = held.reduce((sum, set) => sum + (set ? set.size : 0), 0);
    held.fill(null);
    return -before;
  }
  const set = held[rank[k]] || (held[rank[k]] = new Set()), before = set.size;
  for (const item of d.changed[items[k]]) what[k] ? set.add(item) : set.delete(item);
  return set.size - before;
}

// Which items each rank held at a time.
function cachesAt(t) {
  const held = Array.from({length: D.ranks}, () => null);
  for (let k = 0; k < D.changeT.length && D.changeT[k] <= t; k++) applyChange(D, held, k);
  return held;
}

// The last place in sorted `list` with a value not above `x`; -1 if there is none.
function last(list, x, from = 0, to = list.length) {
  while (from < to) {
    const mid = (from + to) >> 1;
    if (list[mid] <= x) from = mid + 1; else to = mid;
  }
  return from - 1;
}

// -- words and numbers ------------------------------------------------------------------------------------

const shorten = name => name.replace(/^\{root\}\./, "");
const many = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
const percent = share => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

// Nanoseconds as a person reads them, as `bsbpool run` writes them.
function duration(ns) {
  if (!(ns > 0)) return "0 s";
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => ns >= size) || [1, "ns"];
  const value = ns / size, digits = value < 9.995 ? 2 : value < 999.95 ? 1 : 0;
  return `${value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${unit}`;
}

// A time on the axis, as fine as `step` asks.
function clock(ns, step) {
  const [size, unit] = D.span >= 1e9 ? [1e9, "s"] : D.span >= 1e6 ? [1e6, "ms"] : D.span >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9)));
  return `${(ns / size).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${unit}`;
}

function jobTitle(job) {
  const pool = D.pools.length > 1 ? `, pool ${D.pools[D.pool[job]].id}` : "";
  return `${D.by[D.name[job]].short}, job ${D.id[job]}${pool}`;
}

const statusOf = job => D.statuses[D.status[job]];
const rankName = rank => (rank === 0 && D.ranks > 1 ? "rank 0 (main)" : `rank ${rank}`);

// -- the picture ------------------------------------------------------------------------------------------

const GUTTER = 74, OVERVIEW = 34, AXIS = 26, TRACK = 40, RIGHT = 12, TALLEST = 56;
const COLOURS = 30; // so many strategies have one of their own
const base = chart.getContext("2d", {alpha: false}), over = overlay.getContext("2d");
const view = {t0: 0, t1: 1, lane: 20, scroll: 0};
const S = {width: 0, height: 0, dpr: 1, job: -1, hover: -1, path: false, names: new Set(), found: null, mark: null};
const frames = {base: [], overlay: []}; // what drawing took, in milliseconds: the last few hundred
let colours = {}, buffer = null, pending = 0;

const plotX = () => GUTTER;
const plotW = () => Math.max(10, S.width - GUTTER - RIGHT);
const lanesY = () => OVERVIEW + AXIS;
const shownTracks = () => D.tracks.filter(track => track.top > 0);
// Tracks take what few lanes leave free, up to a height; the rest is for the lanes.
const trackH = () => {
  const free = (S.height - lanesY() - D.ranks * TALLEST - 16) / Math.max(1, shownTracks().length);
  return Math.max(TRACK, Math.min(2.6 * TRACK, free));
};
const tracksH = () => (S.height > 300 ? shownTracks().length * trackH() + 4 : 0);
const lanesH = () => Math.max(20, S.height - lanesY() - tracksH() - 4);
const fitLane = () => lanesH() / D.ranks;
const x = t => plotX() + (t - view.t0) / (view.t1 - view.t0) * plotW();
const timeAt = px => view.t0 + (px - plotX()) / plotW() * (view.t1 - view.t0);
const laneY = rank => lanesY() + rank * view.lane - view.scroll;
// Where lanes are thin, a row is several ranks: how many.
const perRow = () => (view.lane >= 3 ? 1 : Math.ceil(3 / view.lane));

function readColours() {
  const style = getComputedStyle(document.documentElement), get = name => style.getPropertyValue(`--${name}`).trim();
  const names = ["page", "card", "ink", "soft", "line", "line-strong", "lane", "accent", "fail", "fail-ink", "dim", "track",
    "ready", "cache", "halo"];
  colours = Object.fromEntries(names.map(name => [name, get(name)]));
  const dark = get("dark") === "1", hues = Array.from({length: 10}, (_, k) => rgb(get(`c${k}`)));
  // From the eleventh strategy on: the same hues, lighter, then darker.
  colours.strategies = D.by.map((_, k) => {
    const tone = [0, dark ? -.32 : .42, dark ? .42 : -.3][Math.floor(k / 10) % 3];
    return mix(hues[k % 10], tone < 0 ? [0, 0, 0] : [255, 255, 255], Math.abs(tone));
  });
  colours.css = colours.strategies.map(c => `rgb(${c.map(Math.round).join(" ")})`);
  colours.text = colours.strategies.map(c => (luminance(c) > .3 ? "#14171c" : "#ffffff"));
  // Pixels: a strategy at 16 shares of being busy, over the lane's colour; the last entry is for what is dimmed.
  const lane = rgb(colours.lane);
  colours.pixels = new Uint32Array(17 * (D.by.length + 1));
  [...colours.strategies, rgb(colours.dim)].forEach((c, k) => {
    for (let share = 0; share <= 16; share++) colours.pixels[17 * k + share] = pixel(mix(lane, c, share / 16));
  });
  colours.lanePixel = pixel(lane);
  colours.cardPixel = pixel(rgb(colours.card));
  colours.failPixel = pixel(rgb(colours.fail));
  colours.failInkPixel = pixel(rgb(colours["fail-ink"]));
}

const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
const mix = (a, b, share) => a.map((v, k) => v + (b[k] - v) * share);
const pixel = ([r, g, b]) => ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
const luminance = c => c.map(v => (v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4))
  .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);

function resize() {
  const box = stage.getBoundingClientRect(), dpr = Math.min(3, window.devicePixelRatio || 1);
  const before = D && S.height ? Math.abs(view.lane - fitLane()) < 1e-6 : true;
  Object.assign(S, {width: box.width, height: box.height, dpr});
  for (const canvas of [chart, overlay]) {
    canvas.width = Math.max(1, Math.round(box.width * dpr));
    canvas.height = Math.max(1, Math.round(box.height * dpr));
  }
  buffer = null;
  if (!D) return;
  if (before) fitLanes(); else keep();
  paint(true); // now, and not in the next frame: in this one the canvas would be seen black
}

function fitLanes() {
  view.lane = fitLane();
  view.scroll = 0;
}

// Brings the view back to where there is something.
function keep() {
  const span = D.span, least = Math.max(20, span * 1e-9);
  let width = Math.min(span, Math.max(least, view.t1 - view.t0));
  view.t0 = Math.min(Math.max(0, view.t0), span - width);
  view.t1 = view.t0 + width;
  view.lane = Math.max(fitLane(), Math.min(TALLEST, view.lane));
  view.scroll = Math.max(0, Math.min(D.ranks * view.lane - lanesH(), view.scroll));
}

function draw(all = true) {
  pending = Math.max(pending, all ? 2 : 1);
  if (draw.asked) return;
  draw.asked = true;
  requestAnimationFrame(() => {
    draw.asked = false;
    const what = pending;
    pending = 0;
    paint(what === 2);
  });
}

function paint(all) {
  if (!D || !S.width) return;
  const begin = performance.now();
  if (all) {
    paintBase();
    note(frames.base, performance.now() - begin);
  }
  const between = performance.now();
  paintOverlay();
  note(frames.overlay, performance.now() - between);
}

function note(list, ms) {
  list.push(ms);
  if (list.length > 600) list.shift();
}

function paintBase() {
  const c = base;
  c.setTransform(S.dpr, 0, 0, S.dpr, 0, 0);
  c.fillStyle = colours.card;
  c.fillRect(0, 0, S.width, S.height);
  paintBars();
  paintLaneNames(c);
  paintLabels(c);
  paintPools(c);
  paintMarks(c);
  paintAxis(c);
  paintOverview(c);
  paintTracks(c);
}

// Bars: for each row how busy each column of pixels is, with what, and whether something failed there.
function paintBars() {
  const {dpr} = S, W = Math.round(plotW() * dpr), H = Math.round(lanesH() * dpr);
  if (!buffer || buffer.width !== W || buffer.height !== H) {
    buffer = base.createImageData(W, H);
    buffer.pixels = new Uint32Array(buffer.data.buffer);
    buffer.busy = new Float32Array(W);
    buffer.most = new Float32Array(W);
    buffer.with = new Int32Array(W);
    buffer.look = new Uint8Array(W);
    buffer.line = new Uint32Array(W);
  }
  const {pixels, busy, most, look, line} = buffer, kind = buffer.with;
  const {laneS, laneE, reach, laneJobs, laneStart, name, ranks} = D, looks = D.laneLook;
  const scale = W / (view.t1 - view.t0), t0 = view.t0, t1 = view.t1, group = perRow(), dim = D.by.length;
  const isDim = dimmed(), gap = 3 * dpr, least = 2 * Math.ceil(dpr);
  pixels.fill(colours.cardPixel);
  const firstRow = Math.floor(view.scroll / view.lane / group);
  for (let row = firstRow; row * group < ranks; row++) {
    const top = Math.round((row * group * view.lane - view.scroll) * dpr);
    if (top >= H) break;
    const until = Math.min(ranks, (row + 1) * group);
    let bottom = Math.round((until * view.lane - view.scroll) * dpr);
    const high = bottom - top;
    bottom -= high >= 12 * dpr ? Math.round(2 * dpr) : high >= 5 * dpr ? Math.round(dpr) : high >= 3 ? 1 : 0;
    busy.fill(0);
    most.fill(0);
    look.fill(0);
    for (let rank = row * group; rank < until; rank++) {
      const end = laneStart[rank + 1];
      for (let k = last(reach, t0, laneStart[rank], end) + 1; k < end && laneS[k] < t1; k++) {
        const job = laneJobs[k], colour = isDim && isDim(job) ? dim : name[job], how = colour === dim ? 0 : looks[k];
        let a = (laneS[k] - t0) * scale, b = (laneE[k] - t0) * scale;
        if (b - a > gap && high >= 5 * dpr) b -= dpr; // so that neighbours are seen to be two
        if (b - a < .35) b = a + .35; // so that nothing that ran is invisible
        if (a < 0) a = 0;
        if (b > W) b = W;
        const from = Math.floor(a), to = Math.min(W, Math.ceil(b));
        for (let i = from; i < to; i++) {
          const share = (b < i + 1 ? b : i + 1) - (a > i ? a : i);
          busy[i] += share;
          // What is not dimmed shows through what is.
          const weight = colour === dim ? share * 1e-3 : share;
          if (weight > most[i]) { most[i] = weight; kind[i] = colour; }
        }
        if (how) for (let i = from; i < Math.min(W, Math.max(to, how === 3 ? from + least : to)); i++) if (how > look[i]) look[i] = how;
      }
    }
    let special = false;
    for (let i = 0; i < W; i++) {
      const share = busy[i];
      if (share === 0 && !look[i]) { line[i] = colours.lanePixel; continue; }
      let level = Math.ceil(share / group * 16);
      if (level > 16) level = 16; else if (level < 4) level = 4;
      line[i] = look[i] === 3 ? colours.failPixel : colours.pixels[17 * kind[i] + level];
      if (look[i]) special = true;
    }
    const y0 = Math.max(0, top), y1 = Math.min(H, Math.max(bottom, top + 1));
    for (let y = y0; y < y1; y++) pixels.set(line, y * W);
    if (special && high >= 5 * dpr) hatch(pixels, look, W, y0, y1, dpr);
  }
  base.putImageData(buffer, Math.round(plotX() * dpr), Math.round(lanesY() * dpr));
}

// Failed: slanted lines, close. Aborted: slanted lines, wide. Still running: upright lines.
function hatch(pixels, look, W, y0, y1, dpr) {
  const period = Math.round(7 * dpr), wide = Math.round(5 * dpr), thick = Math.max(1, Math.round(1.5 * dpr));
  for (let i = 0; i < W; i++) {
    const how = look[i];
    if (!how) continue;
    for (let y = y0; y < y1; y++) {
      if (how === 3 ? (i + y) % period < thick : how === 1 ? (i + y) % wide < 2 * thick : i % wide < thick * 1.5) {
        pixels[y * W + i] = how === 3 ? colours.failInkPixel : colours.lanePixel;
      }
    }
  }
}

// Whether a job is not what was searched for, chosen in the legend, or on the critical path; null if none is.
function dimmed() {
  const {found, names, path} = S;
  if (!found && !names.size && !path) return null;
  return job => (found && !found[job]) || (names.size > 0 && !names.has(D.name[job])) || (path && !D.onPath[job]);
}

function clip(c, y, height, body) {
  c.save();
  c.beginPath();
  c.rect(plotX(), y, plotW(), height);
  c.clip();
  body();
  c.restore();
}

const font = (size, weight = 400) => `${weight} ${size}px ${getFont()}`;
let family = "";
const getFont = () => family || (family = getComputedStyle(document.body).fontFamily);

function paintLaneNames(c) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find(n => n * view.lane >= 15) || 10000;
  c.font = font(11);
  c.textAlign = "right";
  c.textBaseline = "middle";
  c.save();
  c.beginPath();
  c.rect(0, lanesY(), GUTTER, lanesH());
  c.clip();
  for (let rank = Math.floor(view.scroll / view.lane / step) * step; rank < D.ranks; rank += step) {
    const y = laneY(rank) + view.lane / 2;
    if (y > lanesY() + lanesH()) break;
    const main = rank === 0 && D.ranks > 1;
    c.fillStyle = colours.soft;
    c.fillText(main ? "main" : rank.toLocaleString("en"), GUTTER - 8, rank === 0 && view.scroll < 1 ? Math.max(y, lanesY() + 6) : y);
  }
  c.restore();
  if (laneY(0) + view.lane > lanesY() && D.ranks > 1 && D.laneStart[1] === 0 && view.lane >= 14) {
    c.textAlign = "left";
    c.font = font(12);
    c.fillStyle = colours.soft;
    c.fillText("hands out jobs", plotX() + 8, laneY(0) + view.lane / 2);
  }
}

// Names on bars that have room for them: at most so many in a frame.
function paintLabels(c) {
  if (view.lane < 13) return;
  const isDim = dimmed(), scale = plotW() / (view.t1 - view.t0), size = Math.min(12, view.lane - 4);
  c.font = font(size);
  c.textAlign = "left";
  c.textBaseline = "middle";
  const letter = size * .56;
  let left = 500;
  clip(c, lanesY(), lanesH(), () => {
    for (let rank = Math.floor(view.scroll / view.lane); rank < D.ranks && laneY(rank) < lanesY() + lanesH(); rank++) {
      const end = D.laneStart[rank + 1], y = laneY(rank) + view.lane / 2 - .5;
      for (let k = last(D.reach, view.t0, D.laneStart[rank], end) + 1; k < end && D.laneS[k] < view.t1 && left; k++) {
        const a = Math.max(plotX(), x(D.laneS[k])), b = Math.min(plotX() + plotW(), x(D.laneE[k])), room = b - a - 10;
        if ((D.laneE[k] - D.laneS[k]) * scale < 42 || room < 32) continue;
        const job = D.laneJobs[k];
        if (isDim && isDim(job)) continue;
        const name = D.by[D.name[job]].short, tail = name.slice(name.lastIndexOf(".") + 1);
        const mark = D.laneLook[k] === 3 ? "✗ " : "";
        let text = [`${mark}${name}`, `${mark}${tail}`].find(t => t.length * letter <= room);
        if (!text) {
          const n = Math.floor(room / letter) - 1;
          if (n < 3) continue;
          text = `${mark}${tail}`.slice(0, n) + "…";
        } else if (D.context[job] >= 0) {
          const more = `${text}  ${D.contexts[D.context[job]]}`;
          if (more.length * letter <= room) text = more;
        }
        if (D.laneLook[k]) { // on hatching, letters need ground
          c.fillStyle = D.laneLook[k] === 3 ? colours.fail : colours.css[D.name[job]];
          c.fillRect(a + 3, y - size * .62, Math.min(room + 4, c.measureText(text).width + 5), size * 1.24);
        }
        c.fillStyle = D.laneLook[k] === 3 ? colours["fail-ink"] : colours.text[D.name[job]];
        c.fillText(text, a + 5, y);
        left--;
      }
    }
  });
}

// Where pools begin and end.
function paintPools(c) {
  if (D.pools.length > 60 || (D.pools.length < 2 && D.pools.every(pool => pool.ended !== null && D.span - pool.ended < D.span * .001))) return;
  clip(c, OVERVIEW, AXIS + lanesH(), () => {
    c.lineWidth = 1;
    c.strokeStyle = colours["line-strong"];
    c.setLineDash([3, 3]);
    for (const pool of D.pools) {
      for (const t of [pool.opened, pool.ended]) {
        if (t === null || t <= 0 || t >= D.span) continue;
        c.beginPath();
        c.moveTo(Math.round(x(t)) + .5, lanesY() - 6);
        c.lineTo(Math.round(x(t)) + .5, lanesY() + Math.min(lanesH(), D.ranks * view.lane));
        c.stroke();
      }
    }
    c.setLineDash([]);
  });
}

// What befell ranks: lost, paused, slowed.
function paintMarks(c) {
  if (!D.marks.length) return;
  clip(c, lanesY(), lanesH(), () => {
    let left = 400;
    for (const [t, rank] of D.marks) {
      const px = x(t), y = laneY(rank) + view.lane / 2;
      if (px < plotX() - 8 || px > plotX() + plotW() + 8 || y < lanesY() || y > lanesY() + lanesH() || !left--) continue;
      const r = Math.max(2.5, Math.min(5.5, view.lane / 2 - 1));
      c.fillStyle = colours.fail;
      c.strokeStyle = colours.card;
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(px, y - r);
      c.lineTo(px + r, y);
      c.lineTo(px, y + r);
      c.lineTo(px - r, y);
      c.closePath();
      c.fill();
      c.stroke();
    }
  });
}

function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(m => m * power).find(step => step >= least * (1 - 1e-9));
}

function paintAxis(c) {
  const y = OVERVIEW + AXIS, step = roundStep(Math.max(1, (view.t1 - view.t0) / Math.max(2, plotW() / 96)));
  c.font = font(11);
  c.textAlign = "center";
  c.textBaseline = "alphabetic";
  c.lineWidth = 1;
  c.strokeStyle = colours.line;
  for (let t = Math.ceil(view.t0 / step) * step; t <= view.t1; t += step) {
    const px = Math.round(x(t)) + .5;
    c.beginPath();
    c.moveTo(px, y - 5);
    c.lineTo(px, y);
    c.stroke();
    const text = clock(t, step), half = c.measureText(text).width / 2;
    c.fillStyle = colours.soft;
    c.fillText(text, Math.min(Math.max(px, plotX() + half), S.width - half - 2), y - 9);
  }
}

// The whole run, small, with what is shown of it.
function paintOverview(c) {
  const y = 6, h = OVERVIEW - 10, left = plotX(), w = plotW();
  c.fillStyle = colours.lane;
  c.fillRect(left, y, w, h);
  area(c, D.tracks[0], 0, D.span, y, h, colours.track);
  c.fillStyle = colours.fail;
  let before = -9;
  for (const job of D.failures) {
    const px = Math.round(left + D.received[job] / D.span * w);
    if (px - before >= 2) c.fillRect(Math.min(px, left + w - 2), y, 2, h);
    before = px;
  }
  const a = left + view.t0 / D.span * w, b = left + view.t1 / D.span * w;
  if (view.t1 - view.t0 < D.span * .9999) {
    c.globalAlpha = .62;
    c.fillStyle = colours.card;
    c.fillRect(left, y, a - left, h);
    c.fillRect(b, y, left + w - b, h);
    c.globalAlpha = 1;
    c.strokeStyle = colours.accent;
    c.lineWidth = 1.5;
    c.strokeRect(a, y, Math.max(3, b - a), h);
  }
  c.font = font(11);
  c.fillStyle = colours.soft;
  c.textAlign = "right";
  c.textBaseline = "middle";
  c.fillText("all", GUTTER - 8, y + h / 2);
}

// The mean of a track over each column of pixels, as an area.
function area(c, track, t0, t1, y, h, colour) {
  const left = plotX(), w = Math.round(plotW()), {t, v, sum} = track, top = track.top || 1;
  const upTo = at => {
    const k = last(t, at);
    return k < 0 ? 0 : sum[k] + v[k] * (at - t[k]);
  };
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(left, y + h);
  let before = upTo(t0);
  for (let i = 0; i < w; i++) {
    const from = t0 + (t1 - t0) * i / w, at = t0 + (t1 - t0) * (i + 1) / w, now = upTo(at);
    const value = Math.max(0, (now - before) / (at - from)), py = y + h * (1 - Math.min(1, value / top));
    c.lineTo(left + i, py);
    c.lineTo(left + i + 1, py);
    before = now;
  }
  c.lineTo(left + w, y + h);
  c.fill();
}

function paintTracks(c) {
  if (!tracksH()) return;
  let y = S.height - tracksH();
  for (const track of shownTracks()) {
    const h = trackH() - 8;
    c.fillStyle = colours.lane;
    c.fillRect(plotX(), y + 4, plotW(), h);
    area(c, track, view.t0, view.t1, y + 4, h, colours[track.colour]);
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.font = font(11);
    c.fillStyle = colours.soft;
    c.fillText(track.label, GUTTER - 8, y + 4 + h / 2 - 6.5);
    c.fillText(`≤ ${track.top.toLocaleString("en")}`, GUTTER - 8, y + 4 + h / 2 + 6.5);
    y += trackH();
  }
}

// What comes and goes: the chosen job, its dependencies, the critical path, the pointer's mark.
function paintOverlay() {
  const c = over;
  c.setTransform(S.dpr, 0, 0, S.dpr, 0, 0);
  c.clearRect(0, 0, S.width, S.height);
  const job = S.job >= 0 ? S.job : S.hover;
  clip(c, lanesY(), lanesH(), () => {
    if (S.path) {
      for (const pool of D.pools) {
        const jobs = pool.path.map(id => pool.first + id);
        c.lineWidth = 2;
        c.strokeStyle = colours.accent;
        for (let k = 1; k < jobs.length; k++) {
          if (D.start[jobs[k]] >= view.t0 && D.end[jobs[k - 1]] <= view.t1) curve(c, jobs[k - 1], jobs[k], false);
        }
        for (const each of jobs) if (D.end[each] >= view.t0 && D.start[each] <= view.t1) outline(c, each, colours.accent, 1.5);
      }
    }
    if (job >= 0) {
      c.lineWidth = job === S.job ? 1.75 : 1.25;
      c.strokeStyle = colours.ink;
      const few = D.depStart[job + 1] - D.depStart[job] + D.nextStart[job + 1] - D.nextStart[job] < 13;
      for (let k = D.depStart[job], left = 300; k < D.depStart[job + 1] && left; k++, left--) curve(c, D.deps[k], job, true, few);
      c.strokeStyle = colours.accent;
      for (let k = D.nextStart[job], left = 300; k < D.nextStart[job + 1] && left; k++, left--) curve(c, job, D.next[k], true, few);
      if (S.hover >= 0 && S.hover !== S.job) outline(c, S.hover, colours.ink, 1);
      if (S.job >= 0) outline(c, S.job, colours.ink, 2);
    }
  });
  if (S.mark) {
    const a = Math.max(plotX(), Math.min(S.mark.from, S.mark.to)), b = Math.min(plotX() + plotW(), Math.max(S.mark.from, S.mark.to));
    c.globalAlpha = .16;
    c.fillStyle = colours.accent;
    c.fillRect(a, 0, b - a, S.height);
    c.globalAlpha = 1;
    c.fillRect(a, 0, 1, S.height);
    c.fillRect(b - 1, 0, 1, S.height);
  }
  const all = D.ranks * view.lane;
  if (all > lanesH() + 1) { // how far down
    const h = Math.max(18, lanesH() * lanesH() / all), y = lanesY() + (lanesH() - h) * view.scroll / (all - lanesH());
    c.fillStyle = colours["line-strong"];
    c.beginPath();
    c.roundRect(S.width - 9, y, 6, h, 3);
    c.fill();
  }
}

function outline(c, job, colour, width) {
  if (D.rank[job] < 0) return;
  const a = Math.max(plotX() - 4, x(D.start[job])), b = Math.min(plotX() + plotW() + 4, x(D.end[job]));
  const y = laneY(D.rank[job]), h = Math.max(3, view.lane - (view.lane >= 12 ? 2 : 1)), w = Math.max(3, b - a);
  c.lineWidth = width + 2;
  c.strokeStyle = colours.card;
  c.strokeRect(a - .5, y - .5, w + 1, h + 1);
  if (h < 9) { // too flat for its inside to be seen
    c.fillStyle = D.look[job] === 3 ? colours.fail : colours.css[D.name[job]];
    c.fillRect(a, y, w, h);
  }
  c.lineWidth = width;
  c.strokeStyle = colour;
  c.strokeRect(a - .5, y - .5, w + 1, h + 1);
}

// From the end of a job to the start of one that depends on it.
function curve(c, from, to, arrow, halo = true) {
  if (D.rank[from] < 0 || D.rank[to] < 0) return;
  const half = view.lane / 2, xa = x(D.end[from]), ya = laneY(D.rank[from]) + half, xb = x(D.start[to]), yb = laneY(D.rank[to]) + half;
  const bend = Math.min(80, Math.max(14, Math.abs(xb - xa) / 2, Math.abs(yb - ya) / 6)), colour = c.strokeStyle, width = c.lineWidth;
  const way = () => {
    c.beginPath();
    c.moveTo(xa, ya);
    c.bezierCurveTo(xa + bend, ya, xb - bend, yb, xb, yb);
    c.stroke();
  };
  if (halo) {
    c.strokeStyle = colours.halo;
    c.lineWidth = width + 2;
    way();
  }
  c.strokeStyle = colour;
  c.lineWidth = width;
  way();
  if (!arrow) return;
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(xb, yb);
  c.lineTo(xb - 6, yb - 3.5);
  c.lineTo(xb - 6, yb + 3.5);
  c.closePath();
  c.fill();
}

// -- what hands do ----------------------------------------------------------------------------------------

function zoom(factor, at = (view.t0 + view.t1) / 2) {
  const share = (at - view.t0) / (view.t1 - view.t0), width = (view.t1 - view.t0) * factor;
  view.t0 = at - share * width;
  view.t1 = view.t0 + width;
  keep();
  draw();
}

function zoomLanes(factor, y = lanesY() + lanesH() / 2) {
  const rank = (y - lanesY() + view.scroll) / view.lane;
  view.lane *= factor;
  keep();
  view.scroll = rank * view.lane - (y - lanesY());
  keep();
  draw();
}

function move(share, pixels = 0) {
  const by = (view.t1 - view.t0) * share;
  view.t0 += by;
  view.t1 += by;
  view.scroll += pixels;
  keep();
  draw();
}

function showAll() {
  Object.assign(view, {t0: 0, t1: D.span});
  fitLanes();
  keep();
  draw();
}

function showTime(t0, t1) {
  Object.assign(view, {t0, t1});
  keep();
  draw();
}

// Brings a job into view; closer if asked.
function reveal(job, close = false) {
  if (D.rank[job] < 0) return;
  const took = Math.max(1, D.end[job] - D.start[job]), width = view.t1 - view.t0;
  if (close || took / width < .004) {
    const wide = close ? took * 5 : Math.min(width, took * 60);
    view.t0 = D.start[job] - (wide - took) / 2;
    view.t1 = view.t0 + wide;
  } else if (D.end[job] < view.t0 || D.start[job] > view.t1) {
    view.t0 = D.start[job] - width / 2;
    view.t1 = view.t0 + width;
  }
  if (view.lane < 13) view.lane = 16;
  const y = D.rank[job] * view.lane;
  if (y < view.scroll || y + view.lane > view.scroll + lanesH()) view.scroll = y - lanesH() / 2;
  keep();
}

function choose(job, {show = false, close = false} = {}) {
  S.job = job;
  if (job >= 0 && (show || close)) reveal(job, close);
  draw();
  tellPanel();
  if (job >= 0) keepInSight(job);
  if (job >= 0) say(`${jobTitle(job)}: ${statusOf(job)}${D.rank[job] >= 0 ? ` on ${rankName(D.rank[job])}, ${duration(D.end[job] - D.start[job])}` : ""}`);
}

// Where the panel opens over the lanes, on small screens: scrolls so that a job's lane is above it.
function keepInSight(job) {
  if (!small.matches || D.rank[job] < 0) return;
  const y = overlay.getBoundingClientRect().top + laneY(D.rank[job]);
  if (y < 0 || y > .45 * innerHeight) scrollBy({top: y - .25 * innerHeight, behavior: "instant"});
}

const small = matchMedia("(max-width: 900px)");

// Whether the panel tells of one thing that was chosen, and so opens where it was chosen.
function openSheet(open) {
  document.body.classList.toggle("sheet", open);
}

// The job that was drawn at a point; -1 if there is none.
function jobAt(px, py) {
  if (py < lanesY() || py >= lanesY() + lanesH() || px < plotX() || px > plotX() + plotW()) return -1;
  const group = perRow(), first = Math.floor((py - lanesY() + view.scroll) / view.lane / group) * group;
  const reachTime = 3 * (view.t1 - view.t0) / plotW(), t = timeAt(px);
  let best = -1, near = Infinity;
  for (let rank = first; rank < Math.min(D.ranks, first + group); rank++) {
    const from = D.laneStart[rank], k = last(D.laneS, t + reachTime, from, D.laneStart[rank + 1]);
    for (let i = k; i >= from && i > k - 40; i--) {
      const away = D.laneS[i] <= t && t <= D.laneE[i] ? 0 : Math.min(Math.abs(D.laneS[i] - t), Math.abs(D.laneE[i] - t));
      const worth = away - (D.laneLook[i] === 3 ? reachTime / 2 : 0);
      if (away <= reachTime && worth < near) { near = worth; best = D.laneJobs[i]; }
    }
  }
  return best;
}

function trackAt(py) {
  const from = S.height - tracksH();
  return tracksH() && py >= from ? shownTracks()[Math.floor((py - from) / trackH())] || null : null;
}

const pointer = {down: null, moved: false};

function local(event) {
  const box = overlay.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

overlay.addEventListener("pointerdown", event => {
  if (!D || event.button) return;
  const [px, py] = local(event);
  overlay.setPointerCapture(event.pointerId);
  pointer.moved = false;
  pointer.down = {px, py, t0: view.t0, t1: view.t1, scroll: view.scroll,
    what: px > S.width - RIGHT && py > lanesY() ? "scroll" : py < lanesY() ? "mark" : "pan", small: py < OVERVIEW};
});

overlay.addEventListener("pointermove", event => {
  if (!D) return;
  const [px, py] = local(event), down = pointer.down;
  if (!down) return hover(px, py);
  if (!pointer.moved && Math.hypot(px - down.px, py - down.py) < 4) return;
  pointer.moved = true;
  tip.hidden = true;
  if (down.what === "mark") {
    S.mark = {from: down.px, to: px, small: down.small};
    return draw(false);
  }
  overlay.classList.add("dragging");
  if (down.what === "scroll") {
    view.scroll = down.scroll + (py - down.py) * D.ranks * view.lane / lanesH();
  } else {
    const by = (px - down.px) / plotW() * (down.t1 - down.t0);
    Object.assign(view, {t0: down.t0 - by, t1: down.t1 - by, scroll: down.scroll - (py - down.py)});
  }
  keep();
  draw();
});

overlay.addEventListener("pointerup", event => {
  if (!D || !pointer.down) return;
  const [px, py] = local(event), {down, moved} = pointer;
  pointer.down = null;
  overlay.classList.remove("dragging");
  if (S.mark) {
    const at = S.mark.small ? p => (p - plotX()) / plotW() * D.span : timeAt;
    const times = [S.mark.from, S.mark.to].map(at).sort((a, b) => a - b);
    S.mark = null;
    if (Math.abs(px - down.px) > 4) showTime(Math.max(0, times[0]), Math.min(D.span, times[1])); else draw(false);
  } else if (!moved) {
    if (down.small) {
      const half = (view.t1 - view.t0) / 2, t = (px - plotX()) / plotW() * D.span;
      return showTime(t - half, t + half);
    }
    const track = trackAt(py);
    if (track && track.label === "cache") return tellCaches(timeAt(px));
    choose(jobAt(px, py));
  }
});

overlay.addEventListener("pointercancel", () => { pointer.down = S.mark = null; });
overlay.addEventListener("pointerleave", () => { if (D && !pointer.down) { S.hover = -1; tip.hidden = true; draw(false); } });
overlay.addEventListener("dblclick", event => {
  if (!D) return;
  const job = jobAt(...local(event));
  if (job >= 0) choose(job, {close: true}); else showAll();
});

overlay.addEventListener("wheel", event => {
  if (!D) return;
  event.preventDefault();
  const [px, py] = local(event), unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  const dx = event.deltaX * unit, dy = event.deltaY * unit;
  if (event.ctrlKey || event.metaKey) zoomLanes(Math.exp(-dy / 300), py);
  else if (event.shiftKey) move((dx || dy) / plotW());
  else if (Math.abs(dx) > Math.abs(dy)) move(dx / plotW());
  else zoom(Math.exp(Math.max(-200, Math.min(200, dy)) / 260), Math.max(0, Math.min(D.span, timeAt(px))));
  hover(px, py);
}, {passive: false});

function hover(px, py) {
  const job = jobAt(px, py), lines = job >= 0 ? tellJob(job) : tellPlace(px, py);
  if (job !== S.hover) {
    S.hover = job;
    draw(false);
  }
  overlay.className = job >= 0 ? "bar" : py < lanesY() ? "mark" : "";
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map((line, k) => element(k ? "div" : "b", {}, line)));
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(px + 14, S.width - box.width - 6))}px`;
  tip.style.top = `${py + 18 + box.height > S.height ? Math.max(2, py - box.height - 12) : py + 18}px`;
}

function tellJob(job) {
  const lines = [jobTitle(job), `${statusOf(job)} on ${rankName(D.rank[job])}: ${duration(D.end[job] - D.start[job])}, from ${duration(D.start[job])}`];
  const context = D.contexts[D.context[job]], error = D.errors[D.error[job]];
  if (context) lines.push(context);
  if (error) lines.push(error);
  return lines;
}

function tellPlace(px, py) {
  if (px < plotX() || px > plotX() + plotW()) return null;
  const t = timeAt(px), track = trackAt(py);
  if (track) {
    const lines = [`${track.v[Math.max(0, last(track.t, t))].toLocaleString("en")} ${track.unit}`, `at ${duration(t)}`];
    if (track.label === "cache") lines.push("Click to list them.");
    return lines;
  }
  if (py < lanesY() || py > lanesY() + lanesH()) return null;
  const rank = Math.floor((py - lanesY() + view.scroll) / view.lane);
  if (rank >= D.ranks || rank < 0 || perRow() > 1) return null;
  for (const [at, whose, what] of D.marks) if (whose === rank && Math.abs(x(at) - px) < 7) return [rankName(rank), what, `at ${duration(at)}`];
  if (rank === 0 && D.ranks > 1 && D.laneStart[1] === 0) return [rankName(0), "hands out jobs"];
  const from = D.laneStart[rank], end = D.laneStart[rank + 1], k = last(D.laneS, t, from, end);
  const a = k >= from ? D.reach[k] : 0, b = k + 1 < end ? D.laneS[k + 1] : D.span;
  const ready = D.tracks[1], waiting = ready.v[Math.max(0, last(ready.t, t))];
  return [`${rankName(rank)}: idle for ${duration(b - a)}`, `from ${duration(a)} to ${duration(b)}`,
    waiting ? `${many(waiting, "job")} ready at ${duration(t)}` : "no job was ready"];
}

function neighbour(by) {
  if (S.job < 0 || D.rank[S.job] < 0) {
    if (D.ran) choose(D.laneJobs[0], {show: true});
    return;
  }
  const rank = D.rank[S.job], k = D.place[S.job] + by;
  if (k >= D.laneStart[rank] && k < D.laneStart[rank + 1]) choose(D.laneJobs[k], {show: true});
}

function step(list, by) {
  if (!list.length) return;
  const at = list.indexOf(S.job);
  choose(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length], {show: true});
}

document.addEventListener("keydown", event => {
  if (!D || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "Enter") || $("help").open) return;
  const typing = event.target === $("search");
  if (typing) {
    if (event.key === "Enter") { event.preventDefault(); step(S.list || [], event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { $("search").value = ""; search(); overlay.focus(); }
    return;
  }
  const onButton = event.target instanceof HTMLButtonElement;
  const keys = {
    "+": () => event.shiftKey && event.code !== "Equal" ? zoomLanes(1.25) : zoom(.7), "=": () => zoom(.7), "*": () => zoomLanes(1.25),
    "-": () => zoom(1 / .7), "_": () => zoomLanes(.8),
    ArrowLeft: () => move(-.12), ArrowRight: () => move(.12),
    ArrowUp: () => move(0, -Math.max(40, view.lane)), ArrowDown: () => move(0, Math.max(40, view.lane)),
    PageUp: () => move(0, -lanesH() * .9), PageDown: () => move(0, lanesH() * .9),
    "0": showAll, Home: showAll, ",": () => neighbour(-1), ".": () => neighbour(1),
    f: () => step(D.failures, 1), F: () => step(D.failures, -1), c: togglePath, C: togglePath,
    d: nextTheme, D: nextTheme, "/": () => $("search").focus(), "?": () => $("help").showModal(),
    Escape: () => choose(-1), Enter: onButton ? null : () => S.job >= 0 && choose(S.job, {close: true}),
  };
  const act = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
  if (!act || (event.key.startsWith("Arrow") && panel.contains(event.target))) return;
  event.preventDefault();
  act();
});

function togglePath() {
  S.path = !S.path;
  $("critical").setAttribute("aria-pressed", S.path);
  draw();
  tellPanel();
  say(S.path ? `The critical path: ${many(D.path.length, "job")}` : "All jobs");
}

// -- search -----------------------------------------------------------------------------------------------

let asked = 0;

function search() {
  const words = $("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  S.list = null;
  S.found = null;
  if (words.length) {
    const tests = words.map(test), found = new Uint8Array(D.count), list = [];
    for (let i = 0; i < D.count; i++) {
      if (tests.every(matches => matches(i))) { found[i] = 1; list.push(i); }
    }
    Object.assign(S, {found, list});
    $("found").textContent = list.length ? `${list.length.toLocaleString("en")} of ${many(D.count, "job")}` : "No job has that";
  } else $("found").textContent = "";
  draw();
}

// What tells whether a job has a word: in its name, kind, context, error or status, or as rank:3, pool:1, #17.
function test(word) {
  const number = /^(rank|pool|job):(\d+)$|^#(\d+)$/.exec(word);
  if (number) {
    const n = Number(number[2] || number[3]), what = number[1] || "job";
    if (what === "rank") return i => D.rank[i] === n;
    if (what === "pool") return i => D.pools[D.pool[i]].id === String(n);
    return i => D.id[i] === n;
  }
  const has = list => Uint8Array.from(list, text => text.toLowerCase().includes(word));
  const names = has(D.names), kinds = has(D.kinds), contexts = has(D.contexts), errors = has(D.errors);
  const statuses = Uint8Array.from(D.statuses, status => status === word || (word.length > 3 && status.startsWith(word)));
  return i => names[D.name[i]] || contexts[D.context[i]] || errors[D.error[i]] || statuses[D.status[i]] || kinds[D.kind[i]];
}

$("search").addEventListener("input", () => {
  clearTimeout(asked);
  asked = setTimeout(() => D && search(), D && D.count > 20000 ? 160 : 0);
});

// -- words beside the picture -----------------------------------------------------------------------------

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "click") made.addEventListener("click", value);
    else if (key === "colour") made.style.background = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

const button = (text, click, more = {}) => element("button", {type: "button", click, ...more}, text);

function say(text) {
  $("live").textContent = text;
}

function tellFacts() {
  const {failed, success, cancelled, aborted} = D.STATUS, o = D.outcome, open = D.count - o[failed] - o[success] - o[cancelled] - o[aborted];
  const parts = [[success, "succeeded"], [cancelled, "cancelled"], [aborted, "aborted"]].filter(([k]) => o[k]).map(([k, said]) => `${o[k].toLocaleString("en")} ${said}`);
  if (open) parts.push(`${open.toLocaleString("en")} open`);
  const share = D.makespan ? D.critical * 1e9 / D.makespan : 0;
  const slower = D.makespan && D.packed ? D.makespan / 1e9 / D.packed : 0;
  const facts = [
    ["Makespan", duration(D.makespan), "first pool to last event"],
    ["Jobs", D.count.toLocaleString("en"), parts.join(", ")],
    ["Failures", D.failures.length.toLocaleString("en"), D.failures.length ? "hatched in the picture" : "none", D.failures.length ? "bad" : ""],
    ["Ranks", D.ranks.toLocaleString("en"), D.ranks > 1 ? `${many(D.workers, "worker")} and main` : "main runs the jobs"],
    ["Utilisation", percent(D.utilisation), "of the workers' time"],
    ["Critical path", duration(D.critical * 1e9), D.makespan ? `${percent(share)} of the makespan` : ""],
    ["Ideal schedule", duration(D.packed * 1e9), !D.ran ? "" : slower > 1.0005 ? `this took ${slower.toFixed(2)}× that` : "as this one"],
  ];
  $("facts").replaceChildren(...facts.map(([term, value, more, look]) =>
    element("div", {}, element("dt", {}, term), element("dd", look ? {class: look} : {}, value, element("small", {}, more)))));
  const hosts = D.header.hosts ? JSON.parse(D.header.hosts) : [], about = [many(D.events, "event"), many(D.pools.length, "pool")];
  if (D.header.simulated === "true") about.push("simulated ranks, virtual time");
  else if (hosts.length) about.push(hosts.length === 1 ? `on ${hosts[0]}` : `on ${many(new Set(hosts).size, "host")}`);
  $("about").textContent = about.join(" · ");
  const errors = D.pools.filter(pool => pool.error).length;
  if (D.warnings.length) {
    $("notes").hidden = false;
    $("notes").replaceChildren(...D.warnings.map(text => element("li", {}, text)));
  }
  overlay.setAttribute("aria-label", `${many(D.count, "job")} on ${many(D.ranks, "rank")} in ${duration(D.makespan)}, ` +
    `${many(D.failures.length, "failure")}${errors ? `, ${many(errors, "pool")} ended with an error` : ""}`);
}

function tellLegend() {
  const items = D.by.map((strategy, k) => element("li", {}, button("", event => {
    if (!S.names.delete(k)) S.names.add(k);
    event.currentTarget.setAttribute("aria-pressed", S.names.has(k));
    draw();
  }, {"aria-pressed": "false"})));
  items.forEach((item, k) => item.firstChild.append(element("i", {colour: colours.css[k]}), D.by[k].short, element("b", {}, D.by[k].jobs.toLocaleString("en"))));
  const looks = [["failed", "failed", 3], ["aborted", "aborted", 1], ["running", "still running", 2]];
  for (const [css, text, look] of looks) if (D.laneLook.includes(look)) items.push(element("li", {class: "key"}, element("i", {class: css}), text));
  items.push(element("li", {class: "key"}, element("i", {class: "idle"}), "idle"));
  if (D.by.length > COLOURS) items.push(element("li", {class: "key"}, `After ${COLOURS} strategies colours come again: choose one to see it alone`));
  $("legend").replaceChildren(...items);
}

function recolour() {
  const swatches = $("legend").querySelectorAll("button i");
  swatches.forEach((swatch, k) => { swatch.style.background = colours.css[k]; });
  for (const swatch of panel.querySelectorAll("i[data-name]")) swatch.style.background = colours.css[swatch.dataset.name];
}

const swatch = name => element("i", {"data-name": name, colour: colours.css[name]});

function tellPanel() {
  panel.replaceChildren(...(S.job >= 0 ? [jobSection(S.job)] : S.path ? [pathSection(), strategySection()] : [failureSection(), strategySection(), poolSection(), rankSection(), runSection()]).filter(Boolean));
  panel.scrollTop = 0;
  openSheet(S.job >= 0);
}

function section(title, ...children) {
  return element("section", {}, element("h2", {}, ...[title].flat()), ...children);
}

function jobButton(job, text = null) {
  return button(text || `${jobTitle(job)}${D.rank[job] >= 0 ? `, ${rankName(D.rank[job])}` : `, ${statusOf(job)}`}`, () => choose(job, {show: true}));
}

function jobList(jobs, most, text) {
  const rows = jobs.slice(0, most).map(job => element("li", {}, jobButton(job, text && text(job))));
  if (jobs.length > most) rows.push(element("li", {class: "soft"}, `and ${(jobs.length - most).toLocaleString("en")} more`));
  return element("ul", {}, ...rows);
}

function pairs(rows) {
  return element("dl", {}, ...rows.filter(([, value]) => value !== null && value !== "").flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
}

function jobSection(job) {
  const ran = D.rank[job] >= 0, error = D.errors[D.error[job]], took = D.end[job] - D.start[job], strategy = D.by[D.name[job]];
  const deps = [...D.deps.subarray(D.depStart[job], D.depStart[job + 1])], next = [...D.next.subarray(D.nextStart[job], D.nextStart[job + 1])];
  const mean = strategy.ran ? strategy.total / strategy.ran : 0;
  const rows = [
    ["Tries", D.tries.some(([other]) => other === job) ? `it was lost with ${D.tries.filter(([other]) => other === job).map(([, rank]) => rankName(rank)).join(", ")}, and tried again` : null],
    ["Status", statusOf(job) + (D.onPath[job] ? ", on the critical path" : "")],
    ["Rank", ran ? rankName(D.rank[job]) : "it did not run"],
    ["Took", !ran ? null : D.isCut[job] ? `${duration(took)} up to where it was cut off` : `${duration(took)}${mean && strategy.ran > 1 ? `, ${(took / mean).toFixed(2)} times the mean` : ""}`],
    ["Ready", duration(D.queued[job])],
    ["Started", ran ? `${duration(D.start[job])}, after ${duration(D.start[job] - D.queued[job])} of waiting` : null],
    ["Ended", duration(ran ? D.end[job] : D.received[job])],
    ["Context", D.contexts[D.context[job]]],
    ["Kind", D.kinds[D.kind[job]]],
    ["Pool", D.pools.length > 1 ? D.pools[D.pool[job]].id : null],
  ];
  const cache = D.caches[D.cache[job]], parts = [];
  if (error) parts.push(element("p", {class: "error"}, error));
  parts.push(...places(D.raised[job]));
  parts.push(pairs(rows));
  if (ran) parts.push(element("p", {class: "links"}, button("← before on this rank", () => neighbour(-1)), button("after →", () => neighbour(1)), button("Zoom to it", () => choose(job, {close: true}))));
  parts.push(element("h3", {}, `Depends on ${many(deps.length, "job")}`), jobList(deps, 60));
  parts.push(element("h3", {}, `${many(next.length, "job")} depend${next.length === 1 ? "s" : ""} on it`), jobList(next, 60));
  if (ran) {
    const held = cachesAt(D.start[job])[D.rank[job]], items = held ? [...held].sort((a, b) => a - b) : [];
    parts.push(element("h3", {}, `Cached on its rank when it started: ${many(items.length, "item")}`));
    if (items.length) parts.push(element("p", {}, element("code", {}, items.slice(0, 100).join(", ") + (items.length > 100 ? ", …" : ""))));
  }
  if (cache.length) parts.push(element("h3", {}, "Requires from the cache"), element("p", {}, element("code", {}, cache.slice(0, 100).join(", ") + (cache.length > 100 ? ", …" : ""))));
  return section([swatch(D.name[job]), jobTitle(job), button("Close", () => { choose(-1); overlay.focus(); }, {class: "close"})], ...parts);
}

function failureSection() {
  if (!D.failures.length && !D.others.length) return null;
  const others = D.others.slice(0, 100).flatMap(errors => [element("p", {class: "error"}, errors[0][1]), ...places(errors)]);
  return section(many(D.failures.length, "failure"), jobList(D.failures, 100, job => `✗ ${D.errors[D.error[job]]} — ${jobTitle(job)}, ${rankName(D.rank[job])}, at ${duration(D.received[job])}${placeOf(job)}`), ...others);
}

// Where an error was raised in the program: file:line, which one click selects, and the frames that led there.
function places(errors) {
  const how = {cause: "caused by", context: "while handling", member: "member of the group"};
  return (errors || []).filter(([, , frames]) => frames.length).flatMap(([what, text, frames], place) => {
    const [file, line, name] = frames[frames.length - 1];
    const rows = frames.map(([f, l, n]) => element("li", {}, element("code", {class: "place"}, `${f}:${l}`), ` in ${n}`));
    return [
      element("p", {class: "raised"}, `${place ? `${how[what] || "raised"} ${text}, ` : "raised "}at `, element("code", {class: "place", title: "Click to select, to copy it"}, `${file}:${line}`), ` in ${name}`),
      frames.length > 1 ? element("details", {}, element("summary", {}, `${many(frames.length, "frame")}, outermost first`), element("ol", {}, ...rows)) : null,
    ].filter(Boolean);
  });
}

function placeOf(job) {
  const frames = D.raised[job] && D.raised[job][0][2];
  return frames && frames.length ? `, raised at ${frames[frames.length - 1].slice(0, 2).join(":")}` : "";
}

function strategySection() {
  if (!D.by.length) return section("No jobs", element("p", {class: "soft"}, "Nothing was queued in this trace."));
  const order = D.by.map((_, k) => k).sort((a, b) => D.by[b].total - D.by[a].total).slice(0, 200);
  const rows = order.map(k => {
    const s = D.by[k], some = s.ran > 0, slowest = s.longest;
    const more = [many(s.jobs, "job"), s.failed ? `${s.failed.toLocaleString("en")} failed` : null,
      some ? `mean ${duration(s.total / s.ran)}` : s.cut ? null : "none ran", s.cut ? `${s.cut.toLocaleString("en")} cut off` : null].filter(Boolean).join(", ");
    return element("li", {}, element("div", {class: "row"}, swatch(k), element("span", {}, s.short), element("b", {}, some ? duration(s.total) : "·")),
      element("div", {class: "row soft"}, element("span", {}, more),
        some ? button(`slowest ${duration(D.end[slowest] - D.start[slowest])}`, () => choose(slowest, {show: true}), {"aria-label": `Show the slowest job of ${s.short}`}) : ""));
  });
  return section("Strategies, by time in total", element("ul", {class: "rows"}, ...rows));
}

function pathSection() {
  const text = job => `${jobTitle(job)}: ${duration(D.end[job] - D.start[job])} on ${rankName(D.rank[job])}`;
  return section("Critical path", element("p", {class: "soft"}, `${many(D.path.length, "job")}, ${duration(D.critical * 1e9)}: the longest chain of jobs that wait for each other${D.pools.length > 1 ? ", of each pool" : ""}. However many ranks there are, it takes no less.`), jobList(D.path, 200, text));
}

function poolSection() {
  if (D.pools.length < 2 && !D.pools.some(pool => pool.error || pool.ended === null)) return null;
  const rows = D.pools.slice(0, 100).map(pool => element("li", {}, button(
    `Pool ${pool.id}: ${many(pool.jobs, "job")}, ${duration((pool.ended ?? D.span) - pool.opened)}, from ${duration(pool.opened)}`,
    () => showTime(pool.opened, pool.ended ?? D.span)), pool.ended === null ? element("p", {class: "soft"}, "The trace stops before it ended.") : null,
    pool.error ? element("p", {class: "error"}, pool.error) : null));
  return section(many(D.pools.length, "pool"), element("ul", {}, ...rows));
}

function rankSection() {
  const workers = Array.from({length: D.ranks}, (_, rank) => rank).filter(rank => rank || D.ranks === 1 || D.laneStart[1]);
  if (!D.makespan) return null;
  const order = workers.sort((a, b) => D.busy[a] - D.busy[b] || a - b).slice(0, 16);
  const rows = order.map(rank => element("tr", {}, element("td", {}, rankName(rank)), element("td", {}, (D.laneStart[rank + 1] - D.laneStart[rank]).toLocaleString("en")), element("td", {}, duration(D.busy[rank])), element("td", {}, duration(Math.max(0, D.makespan - D.busy[rank]))), element("td", {}, percent(D.busy[rank] / D.makespan))));
  const head = element("tr", {}, ...["Rank", "jobs", "busy", "idle", "busy"].map(text => element("th", {scope: "col"}, text)));
  return section(D.ranks > 17 ? "The 16 ranks that idled most" : "Ranks, that which idled most first", element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

// What the header says of the run.
function runSection() {
  const rows = Object.entries(D.header).filter(([key]) => !["hosts", "simulated"].includes(key)).slice(0, 40);
  return rows.length ? section("The run", pairs(rows.map(([key, value]) => [key, value.length > 400 ? `${value.slice(0, 400)}…` : value]))) : null;
}

function tellCaches(t) {
  const held = cachesAt(t), ranksOf = new Map();
  held.forEach((set, rank) => { if (set) for (const item of set) { if (!ranksOf.has(item)) ranksOf.set(item, []); ranksOf.get(item).push(rank); } });
  S.job = -1;
  draw();
  const rows = [...ranksOf].sort((a, b) => b[1].length - a[1].length || a[0] - b[0]).slice(0, 200).map(([item, ranks]) =>
    element("tr", {}, element("td", {}, element("code", {}, String(item))), element("td", {}, ranks.length > 8 ? many(ranks.length, "rank") : ranks.join(", "))));
  const head = element("tr", {}, element("th", {scope: "col"}, "Item"), element("th", {scope: "col"}, "on ranks"));
  panel.replaceChildren(section(["Caches at " + duration(t), button("Close", tellPanel, {class: "close"})],
    rows.length ? element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)) : element("p", {class: "soft"}, "No rank held an item then.")));
  panel.scrollTop = 0;
  openSheet(true);
  say(`${many(ranksOf.size, "item")} cached at ${duration(t)}`);
}

// -- light and dark, paper --------------------------------------------------------------------------------

const system = matchMedia("(prefers-color-scheme: dark)");
let theme = "auto";

function applyTheme(wanted = theme) {
  document.documentElement.dataset.theme = wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
  $("theme").textContent = `Theme: ${theme}`;
  if (!D) return;
  readColours();
  recolour();
  draw();
}

function nextTheme() {
  theme = {auto: "light", light: "dark", dark: "auto"}[theme];
  applyTheme();
}

system.addEventListener("change", () => applyTheme());
addEventListener("beforeprint", () => {
  if (!D) return;
  applyTheme("light");
  paint(true);
});
addEventListener("afterprint", () => applyTheme());

// -- begin ------------------------------------------------------------------------------------------------

const state = text => { $("state").hidden = !text; $("state").textContent = text; };

$("help-button").addEventListener("click", () => $("help").showModal());
$("theme").addEventListener("click", nextTheme);
$("critical").addEventListener("click", togglePath);
$("next-failure").addEventListener("click", () => step(D.failures, 1));
$("zoom-in").addEventListener("click", () => zoom(.6));
$("zoom-out").addEventListener("click", () => zoom(1 / .6));
$("fit").addEventListener("click", showAll);
for (const each of document.querySelectorAll("#toolbar button, #search")) each.disabled = true;
applyTheme();

load().then(data => {
  D = data;
  readColours();
  tellFacts();
  tellLegend();
  tellPanel();
  Object.assign(view, {t0: 0, t1: D.span});
  for (const each of document.querySelectorAll("#toolbar button, #search")) each.disabled = false;
  $("next-failure").disabled = !D.failures.length;
  $("critical").disabled = !D.path.length;
  state(D.ran ? "" : D.count ? "No job ran in this trace. What became of the jobs is told beside." : "No job was queued in this trace.");
  resize();
  new ResizeObserver(resize).observe(stage);
  document.documentElement.dataset.ready = "true";
}).catch(error => {
  state(`The trace can't be shown. ${error.message}`);
  document.documentElement.dataset.ready = "error";
});

// For tests and measurements; the page itself does not use it.
window.bsbpool = {
  view, frames, paint, keep, zoom, move, choose, showTime, jobAt, x, laneY, duration,
  get data() { return D; },
  get state() { return {...S, lanesH: lanesH(), lanesY: lanesY(), perRow: perRow()}; },
};
})();
