// The bars of the jobs, painted pixel by pixel: a frame costs what is visible, however many jobs there are.

import {addBars, cellsOfView, sums} from "./bar_levels.js";
import {colours} from "./colours.js";
import {causesOfLanes} from "./idle_lanes.js";
import {lanesH, lanesY, perRow, plotW, plotX} from "./layout.js";
import {chosen, dimmed, size, trace, view} from "./state.js";

let buffer = null; // one image of the lanes, as large as they are

// For each row how busy each column of pixels is, with what, and whether something failed there.
export function paintBars(c) {
  const {dpr} = size,
    W = Math.round(plotW() * dpr),
    H = Math.round(lanesH() * dpr);
  if (!buffer || buffer.width !== W || buffer.height !== H) {
    buffer = c.createImageData(W, H);
    buffer.pixels = new Uint32Array(buffer.data.buffer);
    buffer.line = new Uint32Array(W);
    buffer.row = sums(W);
  }
  const {pixels, line, row: into} = buffer,
    {busy, most, look, kind} = into,
    {ranks} = trace,
    group = perRow(),
    // Where idle time is shown, all bars are dimmed: they are summed up as they are, and then get that colour.
    isDim = chosen.idle ? null : dimmed(),
    causesOf = chosen.idle ? causesOfLanes(W) : null,
    wide = 2 * Math.ceil(dpr),
    addCells = cellsOfView(W, isDim, wide);
  pixels.fill(colours.cardPixel);
  const firstRow = Math.floor(view.scroll / view.lane / group);
  for (let row = firstRow; row * group < ranks; row++) {
    const top = Math.round((row * group * view.lane - view.scroll) * dpr);
    if (top >= H) break;
    const until = Math.min(ranks, (row + 1) * group);
    let bottom = Math.round((until * view.lane - view.scroll) * dpr);
    const high = bottom - top;
    bottom -= high >= 12 * dpr ? Math.round(2 * dpr) : high >= 5 * dpr ? Math.round(dpr) : high >= 3 ? 1 : 0;
    busy.fill(0);
    most.fill(0);
    look.fill(0);
    if (addCells) addCells(into, row);
    else {
      const how = {thinnest: 0.35, gap: high >= 5 * dpr && !causesOf ? 3 * dpr : Infinity, cut: dpr, wide};
      for (let rank = row * group; rank < until; rank++) addBars(into, rank, view.t0, view.t1, 0, W, isDim, how);
    }
    if (causesOf) {
      kind.fill(trace.by.length);
      look.fill(0);
    }
    const causes = causesOf && causesOf(group > 1 ? Math.max(1, row * group) : row);
    const special = colourRow(into, line, group, causes);
    const y0 = Math.max(0, top),
      y1 = Math.min(H, Math.max(bottom, top + 1));
    for (let y = y0; y < y1; y++) pixels.set(line, y * W);
    if (special && high >= 5 * dpr) hatch(pixels, look, W, y0, y1, dpr);
  }
  c.putImageData(buffer, Math.round(plotX() * dpr), Math.round(lanesY() * dpr));
}

// Gives each column of a row of so many ranks its pixel; returns whether any of it looks otherwise than its strategy.
// The browser compiles this function in the first frame; a loop in paintBars it would compile again in the second.
function colourRow({busy, look, kind}, line, group, causes) {
  const {lanePixel, failPixel, causePixels, pixels: shades} = colours;
  let special = false,
    share = 0,
    strategy = -1,
    shade = 0; // the last share of a strategy, and its pixel: neighbours mostly have the same
  for (let i = 0; i < line.length; i++) {
    if (causes && busy[i] < group / 2) {
      line[i] = causePixels[causes[i]];
      continue;
    }
    if (look[i]) special = true;
    else if (busy[i] === 0) {
      line[i] = lanePixel;
      continue;
    }
    if (busy[i] !== share || kind[i] !== strategy) {
      share = busy[i];
      strategy = kind[i];
      shade = shades[17 * strategy + Math.max(4, Math.min(16, Math.ceil((share / group) * 16)))];
    }
    line[i] = look[i] === 3 ? failPixel : shade;
  }
  return special;
}

// Failed: slanted lines, close. Aborted: slanted lines, wide. Still running: upright lines.
function hatch(pixels, look, W, y0, y1, dpr) {
  const period = Math.round(7 * dpr),
    wide = Math.round(5 * dpr),
    thick = Math.max(1, Math.round(1.5 * dpr));
  for (let i = 0; i < W; i++) {
    const how = look[i];
    if (!how) continue;
    for (let y = y0; y < y1; y++) {
      if (how === 3 ? (i + y) % period < thick : how === 1 ? (i + y) % wide < 2 * thick : i % wide < thick * 1.5) {
        pixels[y * W + i] = how === 3 ? colours.failInkPixel : colours.lanePixel;
      }
    }
  }
}
