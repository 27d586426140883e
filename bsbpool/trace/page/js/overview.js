// Numbers over time, as areas: the whole run on top, and the tracks below the lanes.

import {font} from "./canvas.js";
import {colours} from "./colours.js";
import {GUTTER, OVERVIEW, plotW, plotX, shownTracks, trackH, tracksH} from "./layout.js";
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
  fillMeans(c, trace.tracks[0], 0, trace.span, y, h, colours.track);
  c.fillStyle = colours.fail;
  for (const px of failuresOf(w)) c.fillRect(left + px, y, 2, h);
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

let marks = {trace: null, w: 0, at: []}; // where failures are in the overview, for the width that it had last

// The columns of the overview, of so many, in which jobs failed, no two beside each other.
function failuresOf(w) {
  if (marks.trace === trace && marks.w === w) return marks.at;
  const at = [];
  for (const job of trace.failures) {
    const px = Math.min(w - 2, Math.round((trace.received[job] / trace.span) * w));
    if (!at.length || px - at[at.length - 1] >= 2) at.push(px);
  }
  marks = {trace, w, at};
  return at;
}

// The mean of a track over each column of pixels, as an area.
function fillMeans(c, track, t0, t1, y, h, colour) {
  const left = plotX(),
    w = Math.round(plotW()),
    {t, v, sum} = track,
    top = track.top || 1;
  const upTo = at => {
    const k = last(t, at);
    return k < 0 ? 0 : sum[k] + v[k] * (at - t[k]);
  };
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(left, y + h);
  let before = upTo(t0);
  for (let i = 0; i < w; i++) {
    const from = t0 + ((t1 - t0) * i) / w,
      at = t0 + ((t1 - t0) * (i + 1)) / w,
      now = upTo(at);
    const value = Math.max(0, (now - before) / (at - from)),
      py = y + h * (1 - Math.min(1, value / top));
    c.lineTo(left + i, py);
    c.lineTo(left + i + 1, py);
    before = now;
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
    fillMeans(c, track, view.t0, view.t1, y + 4, h, colours[track.colour]);
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.font = font(11);
    c.fillStyle = colours.soft;
    c.fillText(track.label, GUTTER - 8, y + 4 + h / 2 - 6.5);
    c.fillText(`≤ ${track.top.toLocaleString("en")}`, GUTTER - 8, y + 4 + h / 2 + 6.5);
    y += trackH();
  }
}
