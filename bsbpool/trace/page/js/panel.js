// The panel beside the picture: what was chosen, or else the run.

import {colours} from "./colours.js";
import {byId} from "./elements.js";
import {idleSection} from "./idle_section.js";
import {jobSection} from "./job_section.js";
import {laneY} from "./layout.js";
import {
  cachesSection,
  failureSection,
  pathSection,
  poolSection,
  rankSection,
  runSection,
  runningSection,
  strategySection,
} from "./run_sections.js";
import {chosen, on, trace} from "./state.js";

const narrow = matchMedia("(max-width: 900px)"); // where the panel opens over the lanes

function tellPanel() {
  const panel = byId("panel"),
    {job, time} = chosen;
  panel.replaceChildren(...sections().filter(Boolean));
  panel.scrollTop = 0;
  // Where it tells of one thing that was chosen, it opens where that was chosen.
  document.body.classList.toggle("sheet", job >= 0 || time !== null);
  if (job >= 0) keepInSight(job);
}

function sections() {
  const {job, time, path, idle} = chosen;
  if (job >= 0) return [jobSection(job)];
  if (time !== null) return [cachesSection(time)];
  if (path) return [pathSection(), strategySection()];
  if (idle) return [idleSection()];
  const first = [runningSection(), failureSection(), strategySection()];
  return [...first, idleSection(), poolSection(), rankSection(), runSection()];
}

// Scrolls so that a job's lane is above the panel, where that lies over the lanes.
function keepInSight(job) {
  if (!narrow.matches || trace.rank[job] < 0) return;
  const y = byId("overlay").getBoundingClientRect().top + laneY(trace.rank[job]);
  if (y < 0 || y > 0.45 * innerHeight) scrollBy({top: y - 0.25 * innerHeight, behavior: "instant"});
}

function recolourPanel() {
  for (const each of byId("panel").querySelectorAll("i[data-name], i[data-cause]")) {
    const {name, cause} = each.dataset;
    each.style.background = cause ? colours.causes[cause] : colours.css[name];
  }
}

export function beginPanel() {
  on("panel", tellPanel);
  on("colours", recolourPanel);
  tellPanel();
}
