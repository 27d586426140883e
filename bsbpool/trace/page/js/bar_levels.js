// Bars, summed up over columns of pixels, or over the cells of a grid that is kept while what is dimmed stays.

import {perRow} from "./layout.js";
import {cellsFor, levelFor} from "./levels.js";
import {last} from "./sorted.js";
import {chosen, trace, view} from "./state.js";

// Up to so many bars are summed up anew in each frame.
const FEW_BARS = 20000;

// So many grids are kept: of what was dimmed before, and of rows of as many ranks.
const MOST_GRIDS = 3;

let gridsKept = {trace: null, grids: []};

// So many rows of so many cells. Each has how busy it is, in ranks; the share of what is most of that; what that is;
// and how it looks (see `look` in unpack.js). What adds bars is fast with objects of one shape: all are made here.
export const sums = (cells, rows = 1) => ({
  cells,
  busy: new Float32Array(rows * cells),
  most: new Float32Array(rows * cells),
  kind: trace.by.length < 65535 ? new Uint16Array(rows * cells) : new Int32Array(rows * cells),
  look: new Uint8Array(rows * cells),
});

// Adds the bars of a rank between two times to so many places from `first` on.
//
// thinnest: nothing counts less, in places; gap: longer bars end `cut` earlier, so that neighbours are seen to be two;
// wide: what failed has at least so many places.
export function addBars(into, rank, t0, t1, first, places, isDim, {thinnest, gap, cut, wide}) {
  const {busy, most, kind, look} = into,
    {laneS, laneE, laneLook, laneJobs, name} = trace,
    scale = places / (t1 - t0),
    dim = trace.by.length,
    end = trace.laneStart[rank + 1];
  for (let k = last(trace.reach, t0, trace.laneStart[rank], end) + 1; k < end && laneS[k] < t1; k++) {
    const job = laneJobs[k],
      colour = isDim && isDim(job) ? dim : name[job],
      how = colour === dim ? 0 : laneLook[k];
    let a = (laneS[k] - t0) * scale,
      b = (laneE[k] - t0) * scale;
    if (b - a > gap) b -= cut;
    if (b - a < thinnest) b = a + thinnest;
    if (a < 0) a = 0;
    if (b > places) b = places;
    const from = Math.floor(a),
      to = Math.min(places, Math.ceil(b)),
      // What is not dimmed shows through what is.
      weight = colour === dim ? 1e-3 : 1,
      inner = a > from ? from + 1 : from,
      outer = Math.max(inner, b < to ? to - 1 : to);
    if (from < inner) addShare(busy, most, kind, first + from, (b < inner ? b : inner) - a, weight, colour);
    // Most places are covered in whole.
    for (let at = first + inner; at < first + outer; at++) {
      busy[at] += 1;
      if (most[at] < weight) {
        most[at] = weight;
        kind[at] = colour;
      }
    }
    if (outer < to) addShare(busy, most, kind, first + outer, b - outer, weight, colour);
    if (how) {
      for (let i = from; i < Math.min(places, Math.max(to, how === 3 ? from + wide : to)); i++)
        if (how > look[first + i]) look[first + i] = how;
    }
  }
}

function addShare(busy, most, kind, at, share, weight, colour) {
  busy[at] += share;
  if (share * weight > most[at]) {
    most[at] = share * weight;
    kind[at] = colour;
  }
}

// What adds the cells of a row between the times of the view to so many columns; null where bars are to be added
// themselves: because they are few, or those that are seen are.
export function cellsOfView(columns, isDim, wide) {
  if (trace.laneS.length <= FEW_BARS) return null;
  const column = (view.t1 - view.t0) / columns,
    group = perRow(),
    rows = Math.ceil(trace.ranks / group),
    cells = cellsFor(trace.laneS.length / rows);
  const level = levelFor(cells, trace.span, column);
  if (level < 0) return null;
  const grid = gridOf(group, rows, cells, isDim)[level];
  return (into, row) => addCells(into, grid, row, columns, wide);
}

function addCells(into, grid, row, columns, wide) {
  const {busy, most, kind, look} = into,
    {cells} = grid,
    length = trace.span / cells,
    scale = columns / (view.t1 - view.t0),
    until = Math.min(cells, Math.ceil(view.t1 / length));
  for (let cell = Math.max(0, Math.floor(view.t0 / length)); cell < until; cell++) {
    const at = row * cells + cell;
    if (grid.busy[at] === 0) continue;
    const a = Math.max(0, (cell * length - view.t0) * scale),
      b = Math.min(columns, ((cell + 1) * length - view.t0) * scale),
      from = Math.floor(a);
    for (let i = from; i < b; i++) {
      const share = (b < i + 1 ? b : i + 1) - (a > i ? a : i);
      busy[i] += grid.busy[at] * share;
      if (grid.most[at] * share > most[i]) {
        most[i] = grid.most[at] * share;
        kind[i] = grid.kind[at];
      }
    }
    const how = grid.look[at];
    if (how) {
      const to = Math.ceil(b);
      for (let i = from; i < Math.min(columns, how === 3 ? Math.max(to, from + wide) : to); i++)
        if (how > look[i]) look[i] = how;
    }
  }
}

// The levels for rows of so many ranks, with what is dimmed now, or (without `isDim`) with nothing dimmed.
function gridOf(group, rows, cells, isDim) {
  if (gridsKept.trace !== trace) gridsKept = {trace, grids: []};
  const {found, path} = isDim ? chosen : {found: null, path: false},
    names = isDim ? [...chosen.names].join() : "";
  const same = each => each.group === group && each.found === found && each.path === path && each.names === names;
  let grid = gridsKept.grids.find(same);
  if (!grid) {
    grid = {group, found, path, names, levels: gridLevels(group, rows, cells, isDim)};
    gridsKept.grids = [grid, ...gridsKept.grids].slice(0, MOST_GRIDS);
  }
  return grid.levels;
}

function gridLevels(group, rows, cells, isDim) {
  const finest = sums(cells, rows),
    // Nothing that ran is invisible; nothing else of how single bars look belongs into sums.
    how = {thinnest: 1e-6, gap: Infinity, cut: 0, wide: 0};
  for (let rank = 0; rank < trace.ranks; rank++)
    addBars(finest, rank, 0, trace.span, Math.floor(rank / group) * cells, cells, isDim, how);
  const levels = [finest];
  while (levels[0].cells >> levels.length > 0) levels.push(coarser(levels[levels.length - 1], rows));
  return levels;
}

// A level with half as many cells.
function coarser(fine, rows) {
  const cells = fine.cells / 2,
    made = sums(cells, rows);
  for (let at = 0; at < rows * cells; at++) {
    const one = 2 * at,
      two = one + 1,
      more = fine.most[two] > fine.most[one] ? two : one;
    made.busy[at] = (fine.busy[one] + fine.busy[two]) / 2;
    made.most[at] = fine.most[more] / 2;
    made.kind[at] = fine.kind[more];
    made.look[at] = Math.max(fine.look[one], fine.look[two]);
  }
  return made;
}
