// The trace, from the columns in which columns.py packed it: typed arrays by the number of a job, over all pools.
// Numbers over time are in tracks.js.

import {addColumns} from "./columns.js";
import {byId} from "./elements.js";
import {addIdle} from "./idle.js";
import {addTracks} from "./tracks.js";

export async function loadTrace() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser can't unpack the trace. Firefox 113, Chrome 80 and Safari 16.4 can, and newer ones.");
  }
  const data = await inflated("data").json();
  addColumns(data, new Uint8Array(await inflated("columns").arrayBuffer()));
  return unpack(data);
}

// What was deflated into an element, which is not needed any more then.
function inflated(id) {
  const text = atob(byId(id).textContent);
  byId(id).remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
}

// A column as a typed array: small integers take a byte each, as they came.
const typed = column => (ArrayBuffer.isView(column) ? column : Int32Array.from(column));

// Columns as columns.py wrote them: back to absolute times (nanoseconds since the first pool was opened).
export function unpack(raw) {
  const c = raw.jobs,
    count = c.status.length;
  const d = {
    ...raw,
    count,
    pool: new Int32Array(count),
    id: new Int32Array(count),
    rank: new Int32Array(count).fill(-1),
  };
  for (const key of ["queued", "sent", "start", "end", "received"]) d[key] = new Float64Array(count);
  for (const key of ["name", "kind", "context", "error", "cache", "status"]) d[key] = typed(c[key]);
  d.STATUS = Object.fromEntries(raw.statuses.map((status, place) => [status, place]));
  const {aborted, running} = d.STATUS;
  d.depStart = new Int32Array(count + 1);
  d.deps = new Int32Array(Math.max(0, c.deps.length - count));
  d.look = new Uint8Array(count); // 0: as its strategy, 1: aborted, 2: running when the trace stops, 3: failed
  let first = 0,
    at = 0,
    total = 0,
    t = 0,
    ran = 0;
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
  addDependents(d);
  addLanes(d);
  d.span = Math.max(1, raw.makespan);
  for (let i = 0; i < count; i++) if (d.end[i] > d.span) d.span = d.end[i];
  d.failures = jobsWhere(d, i => d.look[i] === 3).sort((a, b) => d.received[a] - d.received[b]);
  d.running = jobsWhere(d, i => d.look[i] === 2 && d.rank[i] >= 0).sort((a, b) => d.start[a] - d.start[b]);
  d.path = raw.pools.flatMap(pool => Array.from(pool.path, id => pool.first + id));
  d.onPath = new Uint8Array(count);
  for (const job of d.path) d.onPath[job] = 1;
  addStrategies(d);
  const {job: late, after} = raw.heard;
  d.heard = late.length ? d.received.slice() : d.received; // when main received the outcome of each job
  late.forEach((job, k) => (d.heard[job] = d.end[job] + after[k]));
  addTracks(d);
  addIdle(d);
  delete d.jobs;
  return d;
}

export function jobsWhere(d, wanted) {
  const found = [];
  for (let i = 0; i < d.count; i++) if (wanted(i)) found.push(i);
  return found;
}

// For each job the jobs that depend on it.
export function addDependents(d) {
  const start = (d.nextStart = new Int32Array(d.count + 1));
  for (const dep of d.deps) start[dep + 1]++;
  for (let i = 0; i < d.count; i++) start[i + 1] += start[i];
  const at = start.slice(),
    next = (d.next = new Int32Array(d.deps.length));
  for (let i = 0; i < d.count; i++) for (let k = d.depStart[i]; k < d.depStart[i + 1]; k++) next[at[d.deps[k]]++] = i;
}

// For each rank its bars, by start, how each looks, and how far those before it reach. A job that was lost with its
// rank and tried again has several.
export function addLanes(d) {
  const tries = d.tries,
    rankOf = b => (b >= 0 ? d.rank[b] : tries[-1 - b][1]),
    from = b => (b >= 0 ? d.start[b] : tries[-1 - b][2]);
  const start = (d.laneStart = new Int32Array(d.ranks + 1));
  for (let bar = -tries.length; bar < d.count; bar++) if (rankOf(bar) >= 0) start[rankOf(bar) + 1]++;
  for (let r = 0; r < d.ranks; r++) start[r + 1] += start[r];
  const all = start[d.ranks],
    at = start.slice(),
    sorted = new Int32Array(all);
  for (let bar = 0; bar < d.count; bar++) if (rankOf(bar) >= 0) sorted[at[rankOf(bar)]++] = bar;
  for (let bar = -1; bar >= -tries.length; bar--) sorted[at[rankOf(bar)]++] = bar; // a try is a negative number
  const [s, e, reach] = ([d.laneS, d.laneE, d.reach] = [0, 0, 0].map(() => new Float64Array(all)));
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
      const bar = sorted[k],
        job = bar >= 0 ? bar : tries[-1 - bar][0];
      d.laneJobs[k] = job;
      d.laneLook[k] = bar >= 0 ? d.look[job] : 1;
      s[k] = from(bar);
      e[k] = bar >= 0 ? d.end[job] : s[k] + tries[-1 - bar][3];
      reach[k] = far = Math.max(far, e[k]);
      if (bar >= 0) d.place[job] = k;
    }
  }
}

export function addStrategies(d) {
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

export const shorten = name => name.replace(/^\{root\}\./, "");
