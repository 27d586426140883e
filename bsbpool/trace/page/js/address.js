// What is chosen and seen, in the fragment of the address: a link to the page shows what one sees.
//
// What a fragment says is checked like any other input: what means nothing in this trace is left out.

import {byId} from "./elements.js";
import {fitLane, fitLanes, keep} from "./layout.js";
import {search} from "./search.js";
import {changed, chosen, on, trace, view} from "./state.js";

// Milliseconds after the last change until the address has it, so that a movement is one change. To write it takes as
// long as to draw a frame or two.
const LATER = 200;

let written = ""; // the fragment that is in the address
let timer = 0;

// The fragment for what is chosen and seen; empty at the beginning.
export function fragment() {
  const {job, path, idle, names, time} = chosen;
  const parts = new URLSearchParams();
  if (job >= 0) {
    if (trace.pools.length > 1) parts.set("pool", trace.pools[trace.pool[job]].id);
    parts.set("job", trace.id[job]);
  }
  if (path || idle) parts.set("show", path ? "path" : "idle");
  for (const name of names) parts.append("strategy", trace.names[name]);
  if (chosen.words) parts.set("search", chosen.words);
  if (time !== null) parts.set("caches", Math.round(time));
  if (view.t0 > 0 || view.t1 < trace.span) {
    parts.set("from", Math.floor(view.t0));
    parts.set("to", Math.ceil(view.t1));
  }
  if (Math.abs(view.lane - fitLane()) > 1e-3) {
    parts.set("lane", view.lane.toFixed(1));
    parts.set("rank", (view.scroll / view.lane).toFixed(1));
  }
  return parts.toString();
}

// Chooses and shows what a fragment says.
export function applyFragment(text) {
  const parts = new URLSearchParams(text);
  const number = (name, otherwise) => {
    const value = parts.has(name) ? Number(parts.get(name)) : NaN;
    return Number.isFinite(value) ? value : otherwise;
  };
  const names = parts.getAll("strategy").map(name => trace.names.indexOf(name));
  const words = parts.get("search") || "";
  Object.assign(chosen, {
    job: jobOf(parts.get("pool"), number("job", -1)),
    path: parts.get("show") === "path" && trace.path.length > 0,
    idle: parts.get("show") === "idle" && trace.idle.total > 0,
    names: new Set(names.filter(name => name >= 0)),
    time: parts.has("caches") ? Math.max(0, number("caches", 0)) : null,
  });
  Object.assign(view, {t0: number("from", 0), t1: number("to", trace.span)});
  if (!(view.t1 > view.t0)) Object.assign(view, {t0: 0, t1: trace.span});
  fitLanes();
  if (parts.has("lane")) {
    view.lane = number("lane", view.lane);
    keep();
    view.scroll = number("rank", 0) * view.lane;
  }
  keep();
  byId("search").value = words;
  search();
  changed("picture", "panel", "buttons");
}

function jobOf(pool, id) {
  const found = trace.pools.filter(each => pool === null || each.id === pool);
  if (!found.length || !(Number.isInteger(id) && id >= 0 && id < found[0].jobs)) return -1;
  return found[0].first + id;
}

function write() {
  const text = fragment();
  if (text === written) return;
  written = text;
  history.replaceState(null, "", text ? `#${text}` : location.href.split("#", 1)[0]);
}

function writeLater() {
  clearTimeout(timer);
  timer = setTimeout(write, LATER);
}

function read() {
  const text = location.hash.slice(1);
  if (text === written) return;
  written = text;
  applyFragment(text);
}

// From now on the address follows what is chosen; and what it says by now is shown.
export function beginAddress() {
  on("picture", writeLater);
  on("panel", writeLater);
  addEventListener("hashchange", read);
  read();
}
