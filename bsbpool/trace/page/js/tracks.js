// Numbers over time: ranks busy, jobs ready, items cached; and what each rank had cached when.

// Numbers over time, as steps: [t], [value from t on], and the integral up to t, for means over a column of pixels.
export function addTracks(d) {
  const run = [new Float64Array(d.ran + d.tries.length), new Float64Array(d.ran + d.tries.length)],
    ready = [new Float64Array(d.count), new Float64Array(d.count)];
  let ran = 0,
    queued = 0;
  for (let i = 0; i < d.count; i++) {
    if (d.rank[i] >= 0) [run[0][ran], run[1][ran++]] = [d.start[i], d.end[i]];
    if (d.status[i] === d.STATUS.pending) continue;
    ready[0][queued] = d.queued[i];
    ready[1][queued++] = d.sent[i] >= 0 ? d.sent[i] : d.received[i];
  }
  for (const [, , from, took] of d.tries) [run[0][ran], run[1][ran++]] = [from, from + took];
  const held = cacheSteps(d);
  d.tracks = [
    {label: "busy", unit: "ranks busy", colour: "track", ...stepsOf(...run), most: d.workers},
    {
      label: "ready",
      unit: "jobs ready to run",
      colour: "ready",
      ...stepsOf(...ready.map(times => times.subarray(0, queued))),
    },
    {label: "cache", unit: "items cached, over all ranks", colour: "cache", ...held},
  ];
  for (const track of d.tracks) {
    let top = track.most || 0;
    for (const v of track.v) if (v > top) top = v;
    track.top = top;
    track.sum = new Float64Array(track.t.length);
    for (let k = 1; k < track.t.length; k++)
      track.sum[k] = track.sum[k - 1] + track.v[k - 1] * (track.t[k] - track.t[k - 1]);
  }
}

// How many of some times there are at once: from when on so many, [t] and [v]. Sorts their starts and ends.
export function stepsOf(ups, downs) {
  ups.sort();
  downs.sort();
  const t = new Float64Array(2 * ups.length + 1),
    v = new Int32Array(2 * ups.length + 1);
  let i = 0,
    k = 0,
    steps = 1;
  while (k < downs.length) {
    const at = i < ups.length ? Math.min(ups[i], downs[k]) : downs[k];
    while (i < ups.length && ups[i] === at) i++;
    while (k < downs.length && downs[k] === at) k++;
    t[steps] = at;
    v[steps++] = i - k;
  }
  return {t: t.slice(0, steps), v: v.slice(0, steps)};
}

export function cacheSteps(d) {
  const c = d.changes,
    held = Array.from({length: d.ranks}, () => null),
    t = [0],
    v = [0];
  let at = 0,
    total = 0;
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
export function applyChange(d, held, k) {
  const {rank, what, items} = d.changes;
  if (what[k] < 0) {
    const before = held.reduce((sum, set) => sum + (set ? set.size : 0), 0);
    held.fill(null);
    return -before;
  }
  const set = held[rank[k]] || (held[rank[k]] = new Set()),
    before = set.size;
  for (const item of d.changed[items[k]])
    if (what[k]) set.add(item);
    else set.delete(item);
  return set.size - before;
}

// Which items each rank held at a time.
export function cachesAt(d, t) {
  const held = Array.from({length: d.ranks}, () => null);
  for (let k = 0; k < d.changeT.length && d.changeT[k] <= t; k++) applyChange(d, held, k);
  return held;
}
