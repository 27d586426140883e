// Why a rank idled at a time. Python has found that out (bsbpool/trace/idle.py); here it is looked up.

import {last} from "./sorted.js";

// Phases by group of ranks, and what goes for one rank only, as typed arrays; times are absolute.
export function addIdle(d) {
  const {idle} = d;
  idle.CAUSE = Object.fromEntries(idle.causes.map(([name], place) => [name, place]));
  for (const group of idle.groups) {
    const count = group.start.length;
    const start = new Float64Array(count);
    const end = new Float64Array(count);
    let at = 0;
    for (let k = 0; k < count; k++) {
      start[k] = at + group.start[k];
      at = end[k] = start[k] + group.took[k];
    }
    Object.assign(group, {
      start,
      end,
      cause: Uint8Array.from(group.cause),
      job: Int32Array.from(group.job, n => n - 1),
    });
  }
  idle.ranks = idle.ranks.flatMap(([count, first, group, times]) =>
    Array.from({length: count}, (_, k) => [first + k, group, times]),
  );
  idle.byRank = new Map(idle.ranks.map(([rank, group, times]) => [rank, {group: idle.groups[group], times, gone: []}]));
  for (const [count, first, stretches] of idle.gone) {
    const gone = stretches.map(([start, end, cause]) => ({start, end, cause}));
    for (let k = 0; k < count; k++) idle.byRank.get(first + k).gone = gone;
  }
  idle.by = idle.causes.map((_, place) => idle.ranks.reduce((sum, [, , times]) => sum + times[place], 0));
  idle.total = idle.by.reduce((sum, ns) => sum + ns, 0);
}

// From when to when a rank ran nothing, at a time, and the places of the bars around that (-1: none); null if it ran.
export function gapAt(d, rank, t) {
  const first = d.laneStart[rank];
  const end = d.laneStart[rank + 1];
  const k = last(d.laneS, t, first, end);
  if (k >= first && d.reach[k] > t) return null;
  return {
    from: k >= first ? d.reach[k] : 0,
    to: k + 1 < end ? d.laneS[k + 1] : d.span,
    before: k,
    after: k + 1 < end ? k + 1 : -1,
  };
}

// Why a rank idles at a time in a gap: the cause, and the number of a job with its rank, or -1.
export function causeAt(d, rank, t, gap) {
  const {CAUSE, byRank} = d.idle;
  const mine = byRank.get(rank);
  if (!mine) return null;
  const own = messageAt(d, rank, t, gap);
  if (own) return {cause: CAUSE[own.name], job: own.job, rank: -1};
  const gone = mine.gone.find(each => each.start <= t && t < each.end);
  if (gone) return {cause: gone.cause, job: -1, rank: -1};
  const {group} = mine;
  const k = last(group.start, t);
  return k < 0 || group.end[k] <= t ? null : {cause: group.cause[k], job: group.job[k], rank: group.rank[k]};
}

// A message of the rank's own that is under way in a gap.
export function messageAt(d, rank, t, gap) {
  const before = gap.before >= d.laneStart[rank] ? lastToEnd(d, rank, gap) : -1;
  const job = before >= 0 ? d.laneJobs[before] : -1;
  const next = gap.after >= 0 ? d.laneJobs[gap.after] : -1;
  const heard = job >= 0 && d.place[job] === before ? d.heard[job] : gap.from;
  const sent = next >= 0 && d.place[next] === gap.after ? d.sent[next] : gap.to;
  if (job >= 0 && next >= 0 && d.pool[job] === d.pool[next] && (sent > gap.to || sent < heard)) {
    return {name: "BETWEEN", job: next};
  }
  if (t < heard) return {name: "MESSAGE", job};
  return next >= 0 && sent <= t ? {name: "MESSAGE", job: next} : null;
}

// The bar that ended last of those before a gap.
function lastToEnd(d, rank, gap) {
  let k = gap.before;
  while (k > d.laneStart[rank] && d.laneE[k] < gap.from) k--;
  return k;
}
