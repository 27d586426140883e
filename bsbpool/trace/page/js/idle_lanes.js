// The idle time of lanes, by cause, as bars.js paints it: a number for each column of pixels.

import {last} from "./sorted.js";
import {trace, view} from "./state.js";

// What gives the causes of a rank at each of so many columns: a list of causes, counted from 1; 0 where none is known.
export function causesOfLanes(width) {
  const scale = width / (view.t1 - view.t0);
  const byGroup = new Map(trace.idle.groups.map(group => [group, columnsOf(group, width, scale)]));
  const row = new Uint8Array(width);
  return rank => {
    const mine = trace.idle.byRank.get(rank);
    if (!mine) return row.fill(0);
    row.set(byGroup.get(mine.group));
    for (const each of mine.gone) fill(row, each.start, each.end, each.cause + 1, scale);
    fillMessages(row, rank, scale);
    return row;
  };
}

function columnsOf(group, width, scale) {
  const made = new Uint8Array(width);
  const {start, end, cause} = group;
  for (let k = Math.max(0, last(start, view.t0)); k < start.length && start[k] < view.t1; k++) {
    fill(made, start[k], end[k], cause[k] + 1, scale);
  }
  return made;
}

// All columns that a time touches. Of several causes that touch one, that which is filled in last is seen.
function fill(row, start, end, value, scale) {
  if (end <= start) return;
  const from = Math.max(0, Math.floor((start - view.t0) * scale));
  const to = Math.min(row.length, Math.ceil((end - view.t0) * scale));
  if (to > from) row.fill(value, from, to);
}

// The messages of a rank's own, as idle.js has them; bars are painted over what is not idle.
function fillMessages(row, rank, scale) {
  const {laneS, laneE, laneJobs, laneStart, place, heard, sent, pool, reach} = trace;
  const {MESSAGE, BETWEEN} = trace.idle.CAUSE;
  const first = laneStart[rank];
  const end = laneStart[rank + 1];
  for (let k = Math.max(first, last(reach, view.t0, first, end)); k < end; k++) {
    const job = laneJobs[k];
    const next = k + 1 < end ? laneJobs[k + 1] : -1;
    const stop = next >= 0 ? laneS[k + 1] : view.t1;
    if (place[job] === k) {
      fill(row, laneE[k], Math.min(stop, heard[job]), MESSAGE + 1, scale);
      const before = k > first ? reach[k - 1] : 0;
      fill(row, Math.max(before, sent[job]), laneS[k], MESSAGE + 1, scale);
    }
    if (next >= 0 && place[next] === k + 1 && pool[job] === pool[next]) {
      const ahead = sent[next] > laneS[k + 1] || (place[job] === k && sent[next] < heard[job]);
      if (ahead) fill(row, laneE[k], laneS[k + 1], BETWEEN + 1, scale);
    }
    if (laneS[k] > view.t1) break;
  }
}
