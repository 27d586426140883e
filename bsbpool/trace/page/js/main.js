// The page: reads the trace, then begins with each of its parts.

import {choose, move, showTime, zoom} from "./actions.js";
import {beginAddress} from "./address.js";
import {readColours} from "./colours.js";
import {byId} from "./elements.js";
import {tellFacts} from "./facts.js";
import {beginKeyboard} from "./keyboard.js";
import {jobAt, keep, laneY, lanesH, lanesY, perRow, xOf} from "./layout.js";
import {beginLegend} from "./legend.js";
import {duration} from "./numbers.js";
import {beginPainting, frames, paint} from "./painting.js";
import {beginPanel} from "./panel.js";
import {beginPointer} from "./pointer.js";
import {beginSearch} from "./search.js";
import {chosen, setTrace, size, trace, view} from "./state.js";
import {beginTheme, nextTheme} from "./theme.js";
import {beginToolbar, disableToolbar} from "./toolbar.js";
import {loadTrace} from "./unpack.js";

function showState(text) {
  byId("state").hidden = !text;
  byId("state").textContent = text;
}

disableToolbar();
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("theme").addEventListener("click", nextTheme);
beginTheme();

loadTrace()
  .then(unpacked => {
    setTrace(unpacked);
    readColours(trace.by, trace.idle.causes);
    tellFacts();
    beginLegend();
    beginPanel();
    beginToolbar();
    beginSearch();
    beginPointer();
    beginKeyboard();
    showState(
      trace.ran
        ? ""
        : trace.count
          ? "No job ran in this trace. What became of the jobs is told beside."
          : "No job was queued in this trace.",
    );
    beginPainting();
    beginAddress();
    document.documentElement.dataset.ready = "true";
  })
  .catch(error => {
    showState(`The trace can't be shown. ${error.message}`);
    document.documentElement.dataset.ready = "error";
  });

// For tests and measurements; the page itself does not use it.
window.bsbpool = {
  view,
  frames,
  paint,
  keep,
  zoom,
  move,
  choose,
  showTime,
  jobAt,
  laneY,
  duration,
  x: xOf,
  get data() {
    return trace;
  },
  get state() {
    return {...size, ...chosen, lanesH: lanesH(), lanesY: lanesY(), perRow: perRow()};
  },
};
