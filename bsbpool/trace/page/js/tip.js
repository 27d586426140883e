// What the pointer is over, told beside it.

import {jobTitle, rankName, statusOf} from "./describing.js";
import {byId, element} from "./elements.js";
import {causeAt, gapAt} from "./idle.js";
import {jobAt, lanesH, lanesY, perRow, plotW, plotX, timeAt, trackAt, xOf} from "./layout.js";
import {duration, grouped, many} from "./numbers.js";
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
    const lines = [`${grouped(track.v[Math.max(0, last(track.t, t))])} ${track.unit}`, `at ${duration(t)}`];
    if (track.label === "cache") lines.push("Click to list them.");
    return lines;
  }
  if (py < lanesY() || py > lanesY() + lanesH()) return null;
  const rank = Math.floor((py - lanesY() + view.scroll) / view.lane);
  if (rank >= trace.ranks || rank < 0 || perRow() > 1) return null;
  const mark = trace.marks.find(([at, whose]) => whose === rank && Math.abs(xOf(at) - px) < 7);
  if (mark) return [rankName(rank), mark[2], `at ${duration(mark[0])}`];
  if (rank === 0 && trace.ranks > 1 && trace.laneStart[1] === 0) return [rankName(0), "hands out jobs"];
  return tellIdle(rank, t);
}

function tellIdle(rank, t) {
  const gap = gapAt(trace, rank, t);
  if (!gap) return null;
  const lines = [
    `${rankName(rank)}: idle for ${duration(gap.to - gap.from)}`,
    `from ${duration(gap.from)} to ${duration(gap.to)}`,
  ];
  const found = causeAt(trace, rank, t, gap);
  if (!found) return lines;
  const [name, text] = trace.idle.causes[found.cause];
  const ready = trace.tracks[1];
  const waiting = ready.v[Math.max(0, last(ready.t, t))];
  const where = found.rank >= 0 ? ` on ${rankName(found.rank)}` : "";
  const of = found.job >= 0 ? `: ${where ? "waits for " : ""}${jobTitle(found.job)}${where}` : "";
  lines.push(`${text}${of}`);
  if (name === "MAIN") lines.push(`${many(waiting, "job")} ready at ${duration(t)}`);
  return lines;
}
