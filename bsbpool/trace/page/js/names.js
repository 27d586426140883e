// Words in the lanes: ranks beside them, jobs on bars that have room.

import {clip, font} from "./canvas.js";
import {colours} from "./colours.js";
import {GUTTER, laneY, lanesH, lanesY, plotW, plotX, xOf} from "./layout.js";
import {grouped} from "./numbers.js";
import {last} from "./sorted.js";
import {dimmed, trace, view} from "./state.js";

export function paintLaneNames(c) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find(n => n * view.lane >= 15) || 10000;
  c.font = font(11);
  c.textAlign = "right";
  c.textBaseline = "middle";
  c.save();
  c.beginPath();
  c.rect(0, lanesY(), GUTTER, lanesH());
  c.clip();
  for (let rank = Math.floor(view.scroll / view.lane / step) * step; rank < trace.ranks; rank += step) {
    const y = laneY(rank) + view.lane / 2;
    if (y > lanesY() + lanesH()) break;
    const main = rank === 0 && trace.ranks > 1;
    c.fillStyle = colours.soft;
    c.fillText(
      main ? "main" : grouped(rank),
      GUTTER - 8,
      rank === 0 && view.scroll < 1 ? Math.max(y, lanesY() + 6) : y,
    );
  }
  c.restore();
  if (laneY(0) + view.lane > lanesY() && trace.ranks > 1 && trace.laneStart[1] === 0 && view.lane >= 14) {
    c.textAlign = "left";
    c.font = font(12);
    c.fillStyle = colours.soft;
    c.fillText("hands out jobs", plotX() + 8, laneY(0) + view.lane / 2);
  }
}

// Names on bars that have room for them: at most so many in a frame.
export function paintLabels(c) {
  if (view.lane < 13) return;
  const isDim = dimmed(),
    scale = plotW() / (view.t1 - view.t0),
    px = Math.min(12, view.lane - 4);
  c.font = font(px);
  c.textAlign = "left";
  c.textBaseline = "middle";
  const letter = px * 0.56;
  let left = 500;
  clip(c, lanesY(), lanesH(), () => {
    for (
      let rank = Math.floor(view.scroll / view.lane);
      rank < trace.ranks && laneY(rank) < lanesY() + lanesH();
      rank++
    ) {
      const end = trace.laneStart[rank + 1],
        y = laneY(rank) + view.lane / 2 - 0.5;
      for (
        let k = last(trace.reach, view.t0, trace.laneStart[rank], end) + 1;
        k < end && trace.laneS[k] < view.t1 && left;
        k++
      ) {
        const a = Math.max(plotX(), xOf(trace.laneS[k])),
          b = Math.min(plotX() + plotW(), xOf(trace.laneE[k])),
          room = b - a - 10;
        if ((trace.laneE[k] - trace.laneS[k]) * scale < 42 || room < 32) continue;
        const job = trace.laneJobs[k];
        if (isDim && isDim(job)) continue;
        const name = trace.by[trace.name[job]].short,
          tail = name.slice(name.lastIndexOf(".") + 1);
        const mark = trace.laneLook[k] === 3 ? "✗ " : "";
        let text = [`${mark}${name}`, `${mark}${tail}`].find(t => t.length * letter <= room);
        if (!text) {
          const n = Math.floor(room / letter) - 1;
          if (n < 3) continue;
          text = `${mark}${tail}`.slice(0, n) + "…";
        } else if (trace.context[job] >= 0) {
          const more = `${text}  ${trace.contexts[trace.context[job]]}`;
          if (more.length * letter <= room) text = more;
        }
        if (trace.laneLook[k]) {
          // on hatching, letters need ground
          c.fillStyle = trace.laneLook[k] === 3 ? colours.fail : colours.css[trace.name[job]];
          c.fillRect(a + 3, y - px * 0.62, Math.min(room + 4, c.measureText(text).width + 5), px * 1.24);
        }
        c.fillStyle = trace.laneLook[k] === 3 ? colours["fail-ink"] : colours.text[trace.name[job]];
        c.fillText(text, a + 5, y);
        left--;
      }
    }
  });
}
