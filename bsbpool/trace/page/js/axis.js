// The axis of time, and what happened at one moment: pools that begin and end, ranks that were lost.

import {clip, font} from "./canvas.js";
import {colours} from "./colours.js";
import {AXIS, OVERVIEW, laneY, lanesH, lanesY, plotW, plotX, xOf} from "./layout.js";
import {clock, roundStep} from "./numbers.js";
import {size, trace, view} from "./state.js";

// Where pools begin and end.
export function paintPools(c) {
  if (
    trace.pools.length > 60 ||
    (trace.pools.length < 2 &&
      trace.pools.every(pool => pool.ended !== null && trace.span - pool.ended < trace.span * 0.001))
  )
    return;
  clip(c, OVERVIEW, AXIS + lanesH(), () => {
    c.lineWidth = 1;
    c.strokeStyle = colours["line-strong"];
    c.setLineDash([3, 3]);
    for (const pool of trace.pools) {
      for (const t of [pool.opened, pool.ended]) {
        if (t === null || t <= 0 || t >= trace.span) continue;
        c.beginPath();
        c.moveTo(Math.round(xOf(t)) + 0.5, lanesY() - 6);
        c.lineTo(Math.round(xOf(t)) + 0.5, lanesY() + Math.min(lanesH(), trace.ranks * view.lane));
        c.stroke();
      }
    }
    c.setLineDash([]);
  });
}

// What befell ranks: lost, paused, slowed.
export function paintMarks(c) {
  if (!trace.marks.length) return;
  clip(c, lanesY(), lanesH(), () => {
    let left = 400;
    for (const [t, rank] of trace.marks) {
      const px = xOf(t),
        y = laneY(rank) + view.lane / 2;
      if (px < plotX() - 8 || px > plotX() + plotW() + 8 || y < lanesY() || y > lanesY() + lanesH() || !left--)
        continue;
      const r = Math.max(2.5, Math.min(5.5, view.lane / 2 - 1));
      c.fillStyle = colours.fail;
      c.strokeStyle = colours.card;
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(px, y - r);
      c.lineTo(px + r, y);
      c.lineTo(px, y + r);
      c.lineTo(px - r, y);
      c.closePath();
      c.fill();
      c.stroke();
    }
  });
}

export function paintAxis(c) {
  const y = OVERVIEW + AXIS,
    step = roundStep(Math.max(1, (view.t1 - view.t0) / Math.max(2, plotW() / 96)));
  c.font = font(11);
  c.textAlign = "center";
  c.textBaseline = "alphabetic";
  c.lineWidth = 1;
  c.strokeStyle = colours.line;
  for (let t = Math.ceil(view.t0 / step) * step; t <= view.t1; t += step) {
    const px = Math.round(xOf(t)) + 0.5;
    c.beginPath();
    c.moveTo(px, y - 5);
    c.lineTo(px, y);
    c.stroke();
    const text = clock(t, step, trace.span),
      half = c.measureText(text).width / 2;
    c.fillStyle = colours.soft;
    c.fillText(text, Math.min(Math.max(px, plotX() + half), size.width - half - 2), y - 9);
  }
}
