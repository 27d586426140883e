// What the mouse, a finger and the wheel do to the picture.

import {choose, chooseTime, move, showAll, showTime, zoom, zoomLanes} from "./actions.js";
import {byId} from "./elements.js";
import {OVERVIEW, RIGHT, jobAt, keep, lanesH, lanesY, plotW, plotX, timeAt, trackAt} from "./layout.js";
import {changed, chosen, size, trace, view} from "./state.js";
import {hover} from "./tip.js";

const pointer = {down: null, moved: false}; // where it went down, and whether it moved since

// Two fingers: where each is, by its number, and how it all was when the second came down; null with fewer.
const fingers = new Map();
let pinch = null;

function beginPinch() {
  const [a, b] = fingers.values();
  pinch = {apart: apart(a, b), t: timeAt((a[0] + b[0]) / 2), t0: view.t0, t1: view.t1};
  pointer.down = chosen.mark = null;
  pointer.moved = true;
  byId("tip").hidden = true;
}

const apart = (a, b) => Math.max(20, Math.hypot(a[0] - b[0], a[1] - b[1]));

// The time that was between the fingers stays there, and is zoomed by as much as they moved apart.
function movePinch() {
  const [a, b] = fingers.values(),
    width = ((pinch.t1 - pinch.t0) * pinch.apart) / apart(a, b),
    share = ((a[0] + b[0]) / 2 - plotX()) / plotW();
  view.t0 = pinch.t - share * width;
  view.t1 = view.t0 + width;
  keep();
  changed("picture");
}

function liftFinger(event) {
  fingers.delete(event.pointerId);
  pinch = null;
}

// The point of the canvas at which something happened.
function pointOf(event) {
  const box = byId("overlay").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

export function beginPointer() {
  const overlay = byId("overlay"),
    tip = byId("tip");

  overlay.addEventListener("pointerdown", event => {
    if (!trace || event.button) return;
    const [px, py] = pointOf(event);
    overlay.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") fingers.set(event.pointerId, [px, py]);
    if (fingers.size === 2) return beginPinch();
    if (fingers.size > 2) return;
    pointer.moved = false;
    pointer.down = {
      px,
      py,
      t0: view.t0,
      t1: view.t1,
      scroll: view.scroll,
      what: px > size.width - RIGHT && py > lanesY() ? "scroll" : py < lanesY() ? "mark" : "pan",
      small: py < OVERVIEW,
    };
  });

  overlay.addEventListener("pointermove", event => {
    if (!trace) return;
    const [px, py] = pointOf(event),
      down = pointer.down;
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [px, py]);
    if (pinch) return movePinch();
    if (!down) return fingers.size ? null : hover(px, py);
    if (!pointer.moved && Math.hypot(px - down.px, py - down.py) < 4) return;
    pointer.moved = true;
    tip.hidden = true;
    if (down.what === "mark") {
      chosen.mark = {from: down.px, to: px, small: down.small};
      return changed("overlay");
    }
    overlay.classList.add("dragging");
    if (down.what === "scroll") {
      view.scroll = down.scroll + ((py - down.py) * trace.ranks * view.lane) / lanesH();
    } else {
      const by = ((px - down.px) / plotW()) * (down.t1 - down.t0);
      Object.assign(view, {t0: down.t0 - by, t1: down.t1 - by, scroll: down.scroll - (py - down.py)});
    }
    keep();
    changed("picture");
  });

  overlay.addEventListener("pointerup", event => {
    liftFinger(event);
    if (!trace || !pointer.down) return;
    const [px, py] = pointOf(event),
      {down, moved} = pointer;
    pointer.down = null;
    overlay.classList.remove("dragging");
    if (chosen.mark) {
      const at = chosen.mark.small ? p => ((p - plotX()) / plotW()) * trace.span : timeAt;
      const times = [chosen.mark.from, chosen.mark.to].map(at).sort((a, b) => a - b);
      chosen.mark = null;
      if (Math.abs(px - down.px) > 4) showTime(Math.max(0, times[0]), Math.min(trace.span, times[1]));
      else changed("overlay");
    } else if (!moved) {
      if (down.small) {
        const half = (view.t1 - view.t0) / 2,
          t = ((px - plotX()) / plotW()) * trace.span;
        return showTime(t - half, t + half);
      }
      const track = trackAt(py);
      if (track && track.label === "cache") return chooseTime(timeAt(px));
      choose(jobAt(px, py));
    }
  });

  overlay.addEventListener("pointercancel", event => {
    liftFinger(event);
    pointer.down = chosen.mark = null;
  });

  overlay.addEventListener("pointerleave", () => {
    if (trace && !pointer.down) {
      chosen.hover = -1;
      tip.hidden = true;
      changed("overlay");
    }
  });

  overlay.addEventListener("dblclick", event => {
    if (!trace) return;
    const job = jobAt(...pointOf(event));
    if (job >= 0) choose(job, {close: true});
    else showAll();
  });

  overlay.addEventListener(
    "wheel",
    event => {
      if (!trace) return;
      event.preventDefault();
      const [px, py] = pointOf(event),
        unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const dx = event.deltaX * unit,
        dy = event.deltaY * unit;
      if (event.ctrlKey || event.metaKey) zoomLanes(Math.exp(-dy / 300), py);
      else if (event.shiftKey) move((dx || dy) / plotW());
      else if (Math.abs(dx) > Math.abs(dy)) move(dx / plotW());
      else zoom(Math.exp(Math.max(-200, Math.min(200, dy)) / 260), Math.max(0, Math.min(trace.span, timeAt(px))));
      hover(px, py);
    },
    {passive: false},
  );
}
