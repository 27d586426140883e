// The idle time of lanes, by cause, as bars.js paints it: a number for each column of pixels.

import {cellsFor, levelFor} from "./levels.js";
import {last} from "./sorted.js";
import {trace, view} from "./state.js";

// Up to so many phases, or bars of a rank, are gone through in each frame.
const FEW_PHASES = 500;

// Cells of the finest level for each of them: a cell is a byte, and frames that are too near for it go through them.
const CELLS = 4;

let causesKept = new Map(); // the levels of groups and of ranks, made when they are first seen
let causesFor = null; // the trace that these are of

// What gives the causes of a rank at each of so many columns: a list of causes, counted from 1; 0 where none is known.
export function causesOfLanes(width) {
  if (causesFor !== trace) [causesKept, causesFor] = [new Map(), trace];
  const {t0, t1} = view;
  const byGroup = new Map(
    trace.idle.groups.map(group => {
      const made = new Uint8Array(width);
      fillFromLevels(made, t0, t1, group, group.start.length, (row, from, to) => fillPhases(row, from, to, group));
      return [group, made];
    }),
  );
  const row = new Uint8Array(width);
  return rank => {
    const mine = trace.idle.byRank.get(rank);
    if (!mine) return row.fill(0);
    row.set(byGroup.get(mine.group));
    for (const each of mine.gone) fill(row, t0, t1, each.start, each.end, each.cause + 1);
    const bars = trace.laneStart[rank + 1] - trace.laneStart[rank];
    fillFromLevels(row, t0, t1, rank, bars, (made, from, to) => fillMessages(made, from, to, rank));
    return row;
  };
}

// Fills the columns from t0 to t1 with what `fillAll` fills. Of many things, what it fills is kept in levels, and those
// of the whole trace are made once; `key` says of what they are.
function fillFromLevels(row, t0, t1, key, things, fillAll) {
  const cells = cellsFor(CELLS * things);
  const level = things > FEW_PHASES ? levelFor(cells, trace.span, (t1 - t0) / row.length) : -1;
  if (level < 0) return fillAll(row, t0, t1);
  if (!causesKept.has(key)) causesKept.set(key, causeLevels(cells, fillAll));
  const made = causesKept.get(key)[level];
  const length = trace.span / made.length;
  const until = Math.min(made.length, Math.ceil(t1 / length));
  // No cell is longer than a column, so each column has the beginning of one; of several the last is seen.
  for (let k = Math.max(0, Math.floor(t0 / length)); k < until; k++) {
    if (made[k]) row[Math.max(0, Math.floor(((k * length - t0) / (t1 - t0)) * row.length))] = made[k];
  }
}

function causeLevels(cells, fillAll) {
  const levels = [new Uint8Array(cells)];
  fillAll(levels[0], 0, trace.span);
  for (let fine = levels[0]; fine.length > 1; fine = levels[levels.length - 1]) {
    const made = new Uint8Array(fine.length / 2);
    for (let k = 0; k < made.length; k++) made[k] = fine[2 * k + 1] || fine[2 * k];
    levels.push(made);
  }
  return levels;
}

function fillPhases(row, t0, t1, {start, end, cause}) {
  for (let k = Math.max(0, last(start, t0)); k < start.length && start[k] < t1; k++) {
    fill(row, t0, t1, start[k], end[k], cause[k] + 1);
  }
}

// All columns that a time touches. Of several causes that touch one, that which is filled in last is seen.
function fill(row, t0, t1, start, end, value) {
  if (end <= start) return;
  const scale = row.length / (t1 - t0);
  const from = Math.max(0, Math.floor((start - t0) * scale));
  const to = Math.min(row.length, Math.ceil((end - t0) * scale));
  if (to - from > 16) row.fill(value, from, to);
  else for (let k = from; k < to; k++) row[k] = value;
}

// The messages of a rank's own, as idle.js has them; bars are painted over what is not idle.
function fillMessages(row, t0, t1, rank) {
  const {laneS, laneE, laneJobs, laneStart, place, heard, sent, pool, reach} = trace;
  const {MESSAGE, BETWEEN} = trace.idle.CAUSE;
  const first = laneStart[rank];
  const end = laneStart[rank + 1];
  for (let k = Math.max(first, last(reach, t0, first, end)); k < end; k++) {
    const job = laneJobs[k];
    const next = k + 1 < end ? laneJobs[k + 1] : -1;
    const stop = next >= 0 ? laneS[k + 1] : t1;
    if (place[job] === k) {
      fill(row, t0, t1, laneE[k], Math.min(stop, heard[job]), MESSAGE + 1);
      const before = k > first ? reach[k - 1] : 0;
      fill(row, t0, t1, Math.max(before, sent[job]), laneS[k], MESSAGE + 1);
    }
    if (next >= 0 && place[next] === k + 1 && pool[job] === pool[next]) {
      const ahead = sent[next] > laneS[k + 1] || (place[job] === k && sent[next] < heard[job]);
      if (ahead) fill(row, t0, t1, laneE[k], laneS[k + 1], BETWEEN + 1);
    }
    if (laneS[k] > t1) break;
  }
}
