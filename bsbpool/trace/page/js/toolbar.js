// The buttons above the picture.

import {showAll, stepThrough, toggleIdle, togglePath, zoom} from "./actions.js";
import {byId} from "./elements.js";
import {chosen, on, trace} from "./state.js";

const all = () => document.querySelectorAll("#toolbar button, #search");

// Until there is a trace, they do nothing.
export function disableToolbar() {
  for (const each of all()) each.disabled = true;
}

function pressToolbar() {
  byId("critical").setAttribute("aria-pressed", chosen.path);
  byId("idle").setAttribute("aria-pressed", chosen.idle);
}

export function beginToolbar() {
  for (const each of all()) each.disabled = false;
  byId("critical").addEventListener("click", togglePath);
  byId("idle").addEventListener("click", toggleIdle);
  byId("next-failure").addEventListener("click", () => stepThrough(trace.failures, 1));
  byId("zoom-in").addEventListener("click", () => zoom(0.6));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
  byId("fit").addEventListener("click", showAll);
  byId("next-failure").disabled = !trace.failures.length;
  byId("critical").disabled = !trace.path.length;
  byId("idle").disabled = !trace.idle.total;
  on("buttons", pressToolbar);
}
