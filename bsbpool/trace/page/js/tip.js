// What the pointer is over, told beside it.

import {jobTitle, rankName, statusOf} from "./describing.js";
import {byId, element} from "./elements.js";
import {jobAt, lanesH, lanesY, perRow, plotW, plotX, timeAt, trackAt, xOf} from "./layout.js";
import {duration, many} from "./numbers.js";
import {last} from "./sorted.js";
import {changed, chosen, size, trace, view} from "./state.js";

export function hover(px, py) {
  const overlay = byId("overlay"),
    tip = byId("tip"),
    job = jobAt(px, py);
  const lines = job >= 0 ? tellJob(job) : tellPlace(px, py);
  if (job !== chosen.hover) {
    chosen.hover = job;
    changed("overlay");
  }
  overlay.className = job >= 0 ? "bar" : py < lanesY() ? "mark" : "";
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map((line, k) => element(k ? "div" : "b", {}, line)));
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(px + 14, size.width - box.width - 6))}px`;
  tip.style.top = `${py + 18 + box.height > size.height ? Math.max(2, py - box.height - 12) : py + 18}px`;
}

function tellJob(job) {
  const took = duration(trace.end[job] - trace.start[job]);
  const lines = [
    jobTitle(job),
    `${statusOf(job)} on ${rankName(trace.rank[job])}: ${took}, from ${duration(trace.start[job])}`,
  ];
  const context = trace.contexts[trace.context[job]],
    error = trace.errors[trace.error[job]];
  if (context) lines.push(context);
  if (error) lines.push(error);
  return lines;
}

function tellPlace(px, py) {
  if (px < plotX() || px > plotX() + plotW()) return null;
  const t = timeAt(px),
    track = trackAt(py);
  if (track) {
    const lines = [`${track.v[Math.max(0, last(track.t, t))].toLocaleString("en")} ${track.unit}`, `at ${duration(t)}`];
    if (track.label === "cache") lines.push("Click to list them.");
    return lines;
  }
  if (py < lanesY() || py > lanesY() + lanesH()) return null;
  const rank = Math.floor((py - lanesY() + view.scroll) / view.lane);
  if (rank >= trace.ranks || rank < 0 || perRow() > 1) return null;
  const mark = trace.marks.find(([at, whose]) => whose === rank && Math.abs(xOf(at) - px) < 7);
  if (mark) return [rankName(rank), mark[2], `at ${duration(mark[0])}`];
  if (rank === 0 && trace.ranks > 1 && trace.laneStart[1] === 0) return [rankName(0), "hands out jobs"];
  const from = trace.laneStart[rank],
    end = trace.laneStart[rank + 1],
    k = last(trace.laneS, t, from, end);
  const a = k >= from ? trace.reach[k] : 0,
    b = k + 1 < end ? trace.laneS[k + 1] : trace.span;
  const ready = trace.tracks[1],
    waiting = ready.v[Math.max(0, last(ready.t, t))];
  return [
    `${rankName(rank)}: idle for ${duration(b - a)}`,
    `from ${duration(a)} to ${duration(b)}`,
    waiting ? `${many(waiting, "job")} ready at ${duration(t)}` : "no job was ready",
  ];
}
