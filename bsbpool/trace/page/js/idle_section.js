// What the panel tells of idle time: by cause, by job that was waited for, and by rank.

import {choose, toggleIdle} from "./actions.js";
import {colours} from "./colours.js";
import {jobTitle, rankName} from "./describing.js";
import {button, element, row, section, table} from "./elements.js";
import {duration, percent} from "./numbers.js";
import {chosen, trace} from "./state.js";

const MEANING = {
  NOT_READY: "all jobs that had not started waited for others to end",
  NOT_QUEUED: "the program had queued no job that could run",
  MAIN: "jobs were ready, and main had given none to the rank",
  MESSAGE: "the rank's outcome, or its next job, was on its way",
  BETWEEN: "the rank had its next job, and told of the last one",
  ABSENT: "the rank had not come to the pool",
  LOST: "the rank had died, or left the pool",
  TAIL: "no job became ready any more, and the last ones ran",
  NO_POOL: "no pool of the rank was open",
  UNTOLD: "BSB's own pool does not announce what runs where",
};

const swatchOf = cause => element("i", {"data-cause": cause, colour: colours.causes[cause]});

export function idleSection() {
  const {idle} = trace;
  if (!idle.total) return null;
  const order = idle.causes.map((_, place) => place).filter(place => idle.by[place]);
  order.sort((a, b) => idle.by[b] - idle.by[a]);
  const rows = order.map(place => {
    const [name, text] = idle.causes[place];
    const share = percent(idle.by[place] / idle.total);
    return element(
      "li",
      {},
      element(
        "div",
        {class: "row"},
        swatchOf(place),
        element("span", {}, text),
        element("b", {}, duration(idle.by[place])),
      ),
      element("div", {class: "row soft"}, element("span", {}, MEANING[name]), share),
    );
  });
  const toggle = button(chosen.idle ? "Show jobs again" : "Show it in the lanes", toggleIdle, {class: "toggle"});
  return section(
    [`Idle time: ${duration(idle.total)}`, toggle],
    element("ul", {class: "rows"}, ...rows),
    efficiency(),
    ...waits(chosen.idle ? 30 : 3),
    chosen.idle ? ranks() : null,
  );
}

// How well ranks were used, as a product.
function efficiency() {
  if (!trace.idle.efficiency) return null;
  const [total, balance, serialisation, transfer] = trace.idle.efficiency.map(percent);
  const factors = `load balance ${balance}, serialisation ${serialisation}, transfer ${transfer}`;
  return element("p", {class: "soft efficiency"}, `Efficiency ${total}: ${factors}, multiplied.`);
}

// The jobs for whose end ranks idled longest.
function waits(most) {
  const {idle} = trace;
  if (!idle.waits.length) return [];
  const rows = idle.waits.slice(0, most).map(([job, rank, ns]) => {
    const text = `${jobTitle(job)}, ${rankName(rank)}: ${duration(ns)}`;
    return element(
      "li",
      {},
      button(text, () => choose(job, {show: true})),
    );
  });
  return [element("h3", {}, "Ranks waited longest for the end of"), element("ul", {}, ...rows)];
}

// The ranks that idled most, each with its causes as parts of a bar.
function ranks() {
  const {idle} = trace;
  const totals = idle.ranks.map(([rank, , times]) => [rank, times, times.reduce((sum, ns) => sum + ns, 0)]);
  totals.sort((a, b) => b[2] - a[2] || a[0] - b[0]);
  const longest = totals[0][2];
  const rows = totals.slice(0, 16).map(([rank, times, total]) => {
    const parts = times.map((ns, place) => {
      const part = swatchOf(place);
      part.style.width = `${(100 * ns) / longest}%`;
      part.title = `${idle.causes[place][1]}: ${duration(ns)}`;
      return ns ? part : null;
    });
    return row([rankName(rank), duration(total), element("span", {class: "stack"}, ...parts)]);
  });
  const made = table(["Rank", "idle", "why"], rows);
  made.classList.add("stacks");
  return made;
}
