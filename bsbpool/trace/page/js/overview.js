// Numbers over time, as areas: the whole run on top, and the tracks below the lanes.

import {font} from "./canvas.js";
import {colours} from "./colours.js";
import {GUTTER, OVERVIEW, plotW, plotX, shownTracks, trackH, tracksH} from "./layout.js";
import {grouped} from "./numbers.js";
import {last} from "./sorted.js";
import {size, trace, view} from "./state.js";

// The whole run, small, with what is shown of it.
export function paintOverview(c) {
  const y = 6,
    h = OVERVIEW - 10,
    left = plotX(),
    w = plotW();
  c.fillStyle = colours.lane;
  c.fillRect(left, y, w, h);
  const {means, failures} = wholeRun(w);
  fillArea(c, means, y, h, colours.track);
  c.fillStyle = colours.fail;
  for (const px of failures) c.fillRect(left + px, y, 2, h);
  const a = left + (view.t0 / trace.span) * w,
    b = left + (view.t1 / trace.span) * w;
  if (view.t1 - view.t0 < trace.span * 0.9999) {
    c.globalAlpha = 0.62;
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

let kept = {trace: null, w: 0}; // what of the overview does not depend on what is shown, for the width that it had last

// Of the overview, over so many pixels: how busy each column is, and the columns in which jobs failed.
function wholeRun(w) {
  if (kept.trace !== trace || kept.w !== w)
    kept = {trace, w, means: meansOf(trace.tracks[0], 0, trace.span), failures: failuresOf(w)};
  return kept;
}

// The columns of the overview, of so many, in which jobs failed, no two beside each other.
function failuresOf(w) {
  const at = [];
  for (const job of trace.failures) {
    const px = Math.min(w - 2, Math.round((trace.received[job] / trace.span) * w));
    if (!at.length || px - at[at.length - 1] >= 2) at.push(px);
  }
  return at;
}

// The mean of a track over each column of pixels, as a share of its most.
function meansOf(track, t0, t1) {
  const w = Math.round(plotW()),
    {t, v, sum} = track,
    top = track.top || 1,
    means = new Float64Array(w);
  const upTo = at => {
    const k = last(t, at);
    return k < 0 ? 0 : sum[k] + v[k] * (at - t[k]);
  };
  let before = upTo(t0);
  for (let i = 0; i < w; i++) {
    const from = t0 + ((t1 - t0) * i) / w,
      at = t0 + ((t1 - t0) * (i + 1)) / w,
      now = upTo(at);
    means[i] = Math.min(1, Math.max(0, (now - before) / (at - from)) / top);
    before = now;
  }
  return means;
}

// An area over the columns of pixels.
function fillArea(c, means, y, h, colour) {
  const left = plotX(),
    w = means.length;
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(left, y + h);
  for (let i = 0; i < w; i++) {
    const py = y + h * (1 - means[i]);
    c.lineTo(left + i, py);
    c.lineTo(left + i + 1, py);
  }
  c.lineTo(left + w, y + h);
  c.fill();
}

export function paintTracks(c) {
  if (!tracksH()) return;
  let y = size.height - tracksH();
  for (const track of shownTracks()) {
    const h = trackH() - 8;
    c.fillStyle = colours.lane;
    c.fillRect(plotX(), y + 4, plotW(), h);
    fillArea(c, meansOf(track, view.t0, view.t1), y + 4, h, colours[track.colour]);
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.font = font(11);
    c.fillStyle = colours.soft;
    c.fillText(track.label, GUTTER - 8, y + 4 + h / 2 - 6.5);
    c.fillText(`≤ ${grouped(track.top)}`, GUTTER - 8, y + 4 + h / 2 + 6.5);
    y += trackH();
  }
}
