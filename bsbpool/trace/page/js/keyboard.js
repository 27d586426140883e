// What the keys do; page.html lists them for people.

import {choose, move, neighbour, showAll, stepThrough, toggleIdle, togglePath, zoom, zoomLanes} from "./actions.js";
import {byId} from "./elements.js";
import {lanesH} from "./layout.js";
import {search} from "./search.js";
import {chosen, trace, view} from "./state.js";
import {nextTheme} from "./theme.js";

export function beginKeyboard() {
  document.addEventListener("keydown", event => {
    if (!trace || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "Enter") || byId("help").open)
      return;
    const typing = event.target === byId("search");
    if (typing) {
      if (event.key === "Enter") {
        event.preventDefault();
        stepThrough(chosen.list || [], event.shiftKey ? -1 : 1);
      }
      if (event.key === "Escape") {
        byId("search").value = "";
        search();
        byId("overlay").focus();
      }
      return;
    }
    const onButton = event.target instanceof HTMLButtonElement;
    const keys = {
      "+": () => (event.shiftKey && event.code !== "Equal" ? zoomLanes(1.25) : zoom(0.7)),
      "=": () => zoom(0.7),
      "*": () => zoomLanes(1.25),
      "-": () => zoom(1 / 0.7),
      _: () => zoomLanes(0.8),
      ArrowLeft: () => move(-0.12),
      ArrowRight: () => move(0.12),
      ArrowUp: () => move(0, -Math.max(40, view.lane)),
      ArrowDown: () => move(0, Math.max(40, view.lane)),
      PageUp: () => move(0, -lanesH() * 0.9),
      PageDown: () => move(0, lanesH() * 0.9),
      0: showAll,
      Home: showAll,
      ",": () => neighbour(-1),
      ".": () => neighbour(1),
      f: () => stepThrough(trace.failures, 1),
      F: () => stepThrough(trace.failures, -1),
      c: togglePath,
      C: togglePath,
      i: toggleIdle,
      I: toggleIdle,
      d: nextTheme,
      D: nextTheme,
      "/": () => byId("search").focus(),
      "?": () => byId("help").showModal(),
      Escape: () => choose(-1),
      Enter: onButton ? null : () => chosen.job >= 0 && choose(chosen.job, {close: true}),
    };
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (!act || (event.key.startsWith("Arrow") && byId("panel").contains(event.target))) return;
    event.preventDefault();
    act();
  });
}
