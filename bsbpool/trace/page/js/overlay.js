// What comes and goes above the picture: the chosen job, its dependencies, the critical path, the pointer's mark.

import {clip} from "./canvas.js";
import {colours} from "./colours.js";
import {laneY, lanesH, lanesY, plotW, plotX, xOf} from "./layout.js";
import {chosen, size, trace, view} from "./state.js";

export function paintOverlay(c) {
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0);
  c.clearRect(0, 0, size.width, size.height);
  const job = chosen.job >= 0 ? chosen.job : chosen.hover;
  clip(c, lanesY(), lanesH(), () => {
    if (chosen.path) paintPath(c);
    if (job >= 0) {
      c.lineWidth = job === chosen.job ? 1.75 : 1.25;
      c.strokeStyle = colours.ink;
      const few = trace.depStart[job + 1] - trace.depStart[job] + trace.nextStart[job + 1] - trace.nextStart[job] < 13;
      for (let k = trace.depStart[job], left = 300; k < trace.depStart[job + 1] && left; k++, left--)
        curve(c, trace.deps[k], job, true, few);
      c.strokeStyle = colours.accent;
      for (let k = trace.nextStart[job], left = 300; k < trace.nextStart[job + 1] && left; k++, left--)
        curve(c, job, trace.next[k], true, few);
      if (chosen.hover >= 0 && chosen.hover !== chosen.job) outline(c, chosen.hover, colours.ink, 1);
      if (chosen.job >= 0) outline(c, chosen.job, colours.ink, 2);
    }
  });
  if (chosen.mark) {
    const a = Math.max(plotX(), Math.min(chosen.mark.from, chosen.mark.to)),
      b = Math.min(plotX() + plotW(), Math.max(chosen.mark.from, chosen.mark.to));
    c.globalAlpha = 0.16;
    c.fillStyle = colours.accent;
    c.fillRect(a, 0, b - a, size.height);
    c.globalAlpha = 1;
    c.fillRect(a, 0, 1, size.height);
    c.fillRect(b - 1, 0, 1, size.height);
  }
  const all = trace.ranks * view.lane;
  if (all > lanesH() + 1) {
    // how far down
    const h = Math.max(18, (lanesH() * lanesH()) / all),
      y = lanesY() + ((lanesH() - h) * view.scroll) / (all - lanesH());
    c.fillStyle = colours["line-strong"];
    c.beginPath();
    c.roundRect(size.width - 9, y, 6, h, 3);
    c.fill();
  }
}

// The critical path. Of its jobs that begin within one pixel the first is drawn.
function paintPath(c) {
  const pixel = (view.t1 - view.t0) / plotW();
  for (const pool of trace.pools) {
    c.lineWidth = 2;
    c.strokeStyle = colours.accent;
    const seen = [];
    let before = -1;
    for (const id of pool.path) {
      const job = pool.first + id;
      if (before >= 0 && trace.start[job] - trace.start[before] < pixel) continue;
      if (before >= 0 && trace.start[job] >= view.t0 && trace.end[before] <= view.t1) curve(c, before, job, false);
      if (trace.end[job] >= view.t0 && trace.start[job] <= view.t1) seen.push(job);
      before = job;
    }
    for (const job of seen) outline(c, job, colours.accent, 1.5);
  }
}

function outline(c, job, colour, width) {
  if (trace.rank[job] < 0) return;
  const a = Math.max(plotX() - 4, xOf(trace.start[job])),
    b = Math.min(plotX() + plotW() + 4, xOf(trace.end[job]));
  const y = laneY(trace.rank[job]),
    h = Math.max(3, view.lane - (view.lane >= 12 ? 2 : 1)),
    w = Math.max(3, b - a);
  c.lineWidth = width + 2;
  c.strokeStyle = colours.card;
  c.strokeRect(a - 0.5, y - 0.5, w + 1, h + 1);
  if (h < 9) {
    // too flat for its inside to be seen
    c.fillStyle = trace.look[job] === 3 ? colours.fail : colours.css[trace.name[job]];
    c.fillRect(a, y, w, h);
  }
  c.lineWidth = width;
  c.strokeStyle = colour;
  c.strokeRect(a - 0.5, y - 0.5, w + 1, h + 1);
}

// From the end of a job to the start of one that depends on it.
function curve(c, from, to, arrow, halo = true) {
  if (trace.rank[from] < 0 || trace.rank[to] < 0) return;
  const half = view.lane / 2,
    xa = xOf(trace.end[from]),
    ya = laneY(trace.rank[from]) + half,
    xb = xOf(trace.start[to]),
    yb = laneY(trace.rank[to]) + half;
  const bend = Math.min(80, Math.max(14, Math.abs(xb - xa) / 2, Math.abs(yb - ya) / 6)),
    colour = c.strokeStyle,
    width = c.lineWidth;
  const way = () => {
    c.beginPath();
    c.moveTo(xa, ya);
    c.bezierCurveTo(xa + bend, ya, xb - bend, yb, xb, yb);
    c.stroke();
  };
  if (halo) {
    c.strokeStyle = colours.halo;
    c.lineWidth = width + 2;
    way();
  }
  c.strokeStyle = colour;
  c.lineWidth = width;
  way();
  if (!arrow) return;
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(xb, yb);
  c.lineTo(xb - 6, yb - 3.5);
  c.lineTo(xb - 6, yb + 3.5);
  c.closePath();
  c.fill();
}
