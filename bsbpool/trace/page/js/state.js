// What the page shows and what is chosen in it. Whoever changes this says so with `changed`, and whoever shows it
// listens with `on`: so that actions need not know the picture, nor the picture the words beside it.

export let trace = null; // what unpack.js returns; null until it is read

// The part that is seen: from when to when (nanoseconds); how tall a lane is, and how far lanes are scrolled (pixels).
export const view = {t0: 0, t1: 1, lane: 20, scroll: 0};

// The canvas, in pixels of the page, and how many of the screen each has.
export const size = {width: 0, height: 0, dpr: 1};

// job: the one that is told of, or -1; hover: the one under the pointer, or -1; path: whether the critical path is
// shown; names: numbers of strategies that were chosen in the legend; found: by job whether the search found it, and
// list: those jobs, in order, both null without a search; mark: pixels along the time axis that are being marked;
// time: when the caches are told of, or null; idle: whether lanes show why ranks idled; words: what is searched for.
export const chosen = {
  job: -1,
  hover: -1,
  path: false,
  idle: false,
  names: new Set(),
  found: null,
  list: null,
  mark: null,
  time: null,
  words: "",
};

const listeners = {picture: [], overlay: [], panel: [], buttons: [], colours: []};

export function on(what, listener) {
  listeners[what].push(listener);
}

export function changed(...whats) {
  for (const what of whats) for (const listener of listeners[what]) listener();
}

export function setTrace(unpacked) {
  trace = unpacked;
  Object.assign(view, {t0: 0, t1: trace.span});
}

// What tells whether a job is not what was searched for, chosen in the legend, or on the critical path; null if nothing
// is dimmed, and where idle time is shown all are.
export function dimmed() {
  const {found, names, path} = chosen;
  if (chosen.idle) return () => true;
  if (!found && !names.size && !path) return null;
  return job =>
    (found && !found[job]) || (names.size > 0 && !names.has(trace.name[job])) || (path && !trace.onPath[job]);
}
