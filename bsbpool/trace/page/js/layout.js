// Where things are in the picture: which pixel a time and a rank have, and which time, job and rank a pixel has.
// The overview is on top, then the axis, the lanes of the ranks, and the tracks. Nothing is drawn here.

import {last} from "./sorted.js";
import {size, trace, view} from "./state.js";

// Pixels: beside the lanes, above them (the overview, then the axis), of a track, and of the tallest lane.
export const GUTTER = 74;
export const RIGHT = 12;
export const OVERVIEW = 34;
export const AXIS = 26;
const TRACK = 40;
const TALLEST = 56;
export const plotX = () => GUTTER;
export const plotW = () => Math.max(10, size.width - GUTTER - RIGHT);
export const lanesY = () => OVERVIEW + AXIS;
export const shownTracks = () => trace.tracks.filter(track => track.top > 0);

// Tracks take what few lanes leave free, up to a height; the rest is for the lanes.
export const trackH = () => {
  const free = (size.height - lanesY() - trace.ranks * TALLEST - 16) / Math.max(1, shownTracks().length);
  return Math.max(TRACK, Math.min(2.6 * TRACK, free));
};

export const tracksH = () => (size.height > 300 ? shownTracks().length * trackH() + 4 : 0);
export const lanesH = () => Math.max(20, size.height - lanesY() - tracksH() - 4);
export const fitLane = () => lanesH() / trace.ranks;
export const xOf = t => plotX() + ((t - view.t0) / (view.t1 - view.t0)) * plotW();
export const timeAt = px => view.t0 + ((px - plotX()) / plotW()) * (view.t1 - view.t0);
export const laneY = rank => lanesY() + rank * view.lane - view.scroll;

// Where lanes are thin, a row is several ranks: how many.
export const perRow = () => (view.lane >= 3 ? 1 : Math.ceil(3 / view.lane));

export function fitLanes() {
  view.lane = fitLane();
  view.scroll = 0;
}

// Brings the view back to where there is something.
export function keep() {
  const span = trace.span,
    least = Math.max(20, span * 1e-9);
  const width = Math.min(span, Math.max(least, view.t1 - view.t0));
  view.t0 = Math.min(Math.max(0, view.t0), span - width);
  view.t1 = view.t0 + width;
  view.lane = Math.max(fitLane(), Math.min(TALLEST, view.lane));
  view.scroll = Math.max(0, Math.min(trace.ranks * view.lane - lanesH(), view.scroll));
}

// The job that was drawn at a point; -1 if there is none.
export function jobAt(px, py) {
  if (py < lanesY() || py >= lanesY() + lanesH() || px < plotX() || px > plotX() + plotW()) return -1;
  const group = perRow(),
    first = Math.floor((py - lanesY() + view.scroll) / view.lane / group) * group;
  const reachTime = (3 * (view.t1 - view.t0)) / plotW(),
    t = timeAt(px);
  let best = -1,
    near = Infinity;
  for (let rank = first; rank < Math.min(trace.ranks, first + group); rank++) {
    const from = trace.laneStart[rank],
      k = last(trace.laneS, t + reachTime, from, trace.laneStart[rank + 1]);
    for (let i = k; i >= from && i > k - 40; i--) {
      const away = Math.max(0, trace.laneS[i] - t, t - trace.laneE[i]);
      const worth = away - (trace.laneLook[i] === 3 ? reachTime / 2 : 0);
      if (away <= reachTime && worth < near) {
        near = worth;
        best = trace.laneJobs[i];
      }
    }
  }
  return best;
}

// The track at a height; null if there is none.
export function trackAt(py) {
  const from = size.height - tracksH();
  return tracksH() && py >= from ? shownTracks()[Math.floor((py - from) / trackH())] || null : null;
}
