// When the picture is painted: once a frame at the most, and what the last frames took.

import {paintAxis, paintMarks, paintPools} from "./axis.js";
import {paintBars} from "./bars.js";
import {colours} from "./colours.js";
import {byId} from "./elements.js";
import {fitLane, fitLanes, keep} from "./layout.js";
import {paintLabels, paintLaneNames} from "./names.js";
import {paintOverlay} from "./overlay.js";
import {paintOverview, paintTracks} from "./overview.js";
import {on, size, trace, view} from "./state.js";

let chart = null,
  overlay = null; // contexts of the two canvases
let pending = 0; // 0: nothing is to be painted, 1: what comes and goes, 2: all

export const frames = {base: [], overlay: []}; // what drawing took, in milliseconds: the last few hundred

// The canvases get the size that the page gives them.
function resize() {
  const box = byId("stage").getBoundingClientRect(),
    dpr = Math.min(3, window.devicePixelRatio || 1);
  const before = trace && size.height ? Math.abs(view.lane - fitLane()) < 1e-6 : true;
  Object.assign(size, {width: box.width, height: box.height, dpr});
  for (const {canvas} of [chart, overlay]) {
    canvas.width = Math.max(1, Math.round(box.width * dpr));
    canvas.height = Math.max(1, Math.round(box.height * dpr));
  }
  if (!trace) return;
  if (before) fitLanes();
  else keep();
  paint(true); // now, and not in the next frame: in this one the canvas would be seen black
}

function ask(what) {
  const asked = pending > 0;
  pending = Math.max(pending, what);
  if (asked) return;
  requestAnimationFrame(() => {
    const all = pending === 2;
    pending = 0;
    paint(all);
  });
}

export function paint(all) {
  if (!trace || !size.width) return;
  const begin = performance.now();
  if (all) {
    paintBase(chart);
    keepFrame(frames.base, performance.now() - begin);
  }
  const between = performance.now();
  paintOverlay(overlay);
  keepFrame(frames.overlay, performance.now() - between);
}

function keepFrame(list, ms) {
  list.push(ms);
  if (list.length > 600) list.shift();
}

function paintBase(c) {
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0);
  c.fillStyle = colours.card;
  c.fillRect(0, 0, size.width, size.height);
  paintBars(c);
  paintLaneNames(c);
  paintLabels(c);
  paintPools(c);
  paintMarks(c);
  paintAxis(c);
  paintOverview(c);
  paintTracks(c);
}

// Paints from now on, whenever something has changed, or the page has another size.
export function beginPainting() {
  chart = byId("chart").getContext("2d", {alpha: false});
  overlay = byId("overlay").getContext("2d");
  on("picture", () => ask(2));
  on("overlay", () => ask(1));
  resize();
  new ResizeObserver(resize).observe(byId("stage"));
}
