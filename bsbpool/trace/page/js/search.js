// Searching jobs: what each word that was typed asks for, and the field where it is typed.

import {byId} from "./elements.js";
import {grouped, many} from "./numbers.js";
import {changed, chosen, trace} from "./state.js";

let asked = 0; // the timer of the search that was asked for last

// Searches what stands in the field.
export function search() {
  chosen.words = byId("search").value.trim();
  const wanted = wordsTest(chosen.words);
  chosen.list = null;
  chosen.found = null;
  if (wanted) {
    const found = new Uint8Array(trace.count),
      list = [];
    for (let i = 0; i < trace.count; i++) {
      if (wanted(i)) {
        found[i] = 1;
        list.push(i);
      }
    }
    Object.assign(chosen, {found, list});
    byId("found").textContent = list.length
      ? `${grouped(list.length)} of ${many(trace.count, "job")}`
      : "No job has that";
  } else byId("found").textContent = "";
  changed("picture");
}

// What tells whether a job has a word: in its name, kind, context, error or status, or as rank:3, pool:1, #17.
function wordTest(word) {
  const number = /^(rank|pool|job):(\d+)$|^#(\d+)$/.exec(word);
  if (number) {
    const n = Number(number[2] || number[3]),
      what = number[1] || "job";
    if (what === "rank") return i => trace.rank[i] === n;
    if (what === "pool") return i => trace.pools[trace.pool[i]].id === String(n);
    return i => trace.id[i] === n;
  }
  const has = list => Uint8Array.from(list, text => text.toLowerCase().includes(word));
  const names = has(trace.names),
    kinds = has(trace.kinds),
    contexts = has(trace.contexts),
    errors = has(trace.errors);
  const statuses = Uint8Array.from(
    trace.statuses,
    status => status === word || (word.length > 3 && status.startsWith(word)),
  );
  return i =>
    names[trace.name[i]] ||
    contexts[trace.context[i]] ||
    errors[trace.error[i]] ||
    statuses[trace.status[i]] ||
    kinds[trace.kind[i]];
}

// What tells whether a job has all words of a text; null if there is none.
export function wordsTest(text) {
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map(wordTest);
  return tests.length ? i => tests.every(has => has(i)) : null;
}

export function beginSearch() {
  byId("search").addEventListener("input", () => {
    clearTimeout(asked);
    asked = setTimeout(() => trace && search(), trace && trace.count > 20000 ? 160 : 0);
  });
}
