// What stands above the picture: the figures of the run, and what is wrong with its trace.

import {byId, element} from "./elements.js";
import {duration, grouped, many, percent} from "./numbers.js";
import {trace} from "./state.js";

// The ranks of some jobs, if they are few.
function ranksOf(jobs) {
  const ranks = [...new Set(jobs.map(job => trace.rank[job]))].sort((a, b) => a - b);
  return ranks.length > 6 ? `on ${many(ranks.length, "rank")}` : `on rank ${ranks.join(", ")}`;
}

export function tellFacts() {
  const {failed, success, cancelled, aborted} = trace.STATUS,
    o = trace.outcome;
  const open = trace.count - o[failed] - o[success] - o[cancelled] - o[aborted];
  const parts = [
    [success, "succeeded"],
    [cancelled, "cancelled"],
    [aborted, "aborted"],
  ]
    .filter(([k]) => o[k])
    .map(([k, said]) => `${grouped(o[k])} ${said}`);
  if (open) parts.push(`${grouped(open)} open`);
  const share = trace.makespan ? (trace.critical * 1e9) / trace.makespan : 0;
  const slower = trace.makespan && trace.packed ? trace.makespan / 1e9 / trace.packed : 0;
  const failures = trace.failures.length;
  const running = trace.running.length;
  const facts = [
    ["Makespan", duration(trace.makespan), "first pool to last event"],
    ["Jobs", grouped(trace.count), parts.join(", ")],
    ...(running
      ? [["Still running", grouped(running), `${ranksOf(trace.running)}, where the trace stops`, "bad"]]
      : []),
    ["Failures", grouped(failures), failures ? "hatched in the picture" : "none", failures ? "bad" : ""],
    [
      "Ranks",
      grouped(trace.ranks),
      trace.ranks > 1 ? `${many(trace.workers, "worker")} and main` : "main runs the jobs",
    ],
    ["Utilisation", percent(trace.utilisation), "of the workers' time"],
    ["Critical path", duration(trace.critical * 1e9), trace.makespan ? `${percent(share)} of the makespan` : ""],
    [
      "Ideal schedule",
      duration(trace.packed * 1e9),
      !trace.ran ? "" : slower > 1.0005 ? `this took ${slower.toFixed(2)}× that` : "as this one",
    ],
  ];
  byId("facts").replaceChildren(
    ...facts.map(([term, value, more, look]) =>
      element(
        "div",
        {},
        element("dt", {}, term),
        element("dd", look ? {class: look} : {}, value, element("small", {}, more)),
      ),
    ),
  );
  const hosts = trace.header.hosts ? JSON.parse(trace.header.hosts) : [];
  const about = [many(trace.events, "event"), many(trace.pools.length, "pool")];
  if (trace.header.simulated === "true") about.push("simulated ranks, virtual time");
  else if (hosts.length) about.push(hosts.length === 1 ? `on ${hosts[0]}` : `on ${many(new Set(hosts).size, "host")}`);
  byId("about").textContent = about.join(" · ");
  const errors = trace.pools.filter(pool => pool.error).length;
  if (trace.warnings.length) {
    byId("notes").hidden = false;
    byId("notes").replaceChildren(...trace.warnings.map(text => element("li", {}, text)));
  }
  byId("overlay").setAttribute(
    "aria-label",
    `${many(trace.count, "job")} on ${many(trace.ranks, "rank")} in ${duration(trace.makespan)}, ` +
      `${many(failures, "failure")}${errors ? `, ${many(errors, "pool")} ended with an error` : ""}`,
  );
}
