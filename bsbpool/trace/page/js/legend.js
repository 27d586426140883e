// The legend: a button for each strategy, which dims the others, and how bars are hatched; or causes of idle time.

import {COLOURS, colours} from "./colours.js";
import {button, byId, element} from "./elements.js";
import {grouped} from "./numbers.js";
import {changed, chosen, on, trace} from "./state.js";

const key = (...parts) => element("li", {class: "key"}, ...parts);

function tellLegend() {
  byId("legend").replaceChildren(...(chosen.idle ? causes() : [...strategies(), ...looks()]));
}

function strategies() {
  return trace.by.map((strategy, k) => {
    const made = button("", () => toggle(k, made), {"aria-pressed": chosen.names.has(k)});
    const count = element("b", {}, grouped(strategy.jobs));
    made.append(element("i", {colour: colours.css[k]}), strategy.short, count);
    return element("li", {}, made);
  });
}

function toggle(k, pressed) {
  if (!chosen.names.delete(k)) chosen.names.add(k);
  pressed.setAttribute("aria-pressed", chosen.names.has(k));
  changed("picture");
}

function looks() {
  const hatched = [
    ["failed", "failed", 3],
    ["aborted", "aborted", 1],
    ["running", "still running", 2],
  ];
  const items = hatched
    .filter(([, , look]) => trace.laneLook.includes(look))
    .map(([css, text]) => key(element("i", {class: css}), text));
  items.push(key(element("i", {class: "idle"}), "idle"));
  if (trace.by.length > COLOURS) {
    items.push(key(`After ${COLOURS} strategies colours come again: choose one to see it alone`));
  }
  return items;
}

function causes() {
  const {idle} = trace;
  const items = idle.causes.map(([, text], place) => key(element("i", {colour: colours.causes[place]}), text));
  return [...items.filter((_, place) => idle.by[place]), key(element("i", {class: "dimmed"}), "busy")];
}

export function beginLegend() {
  on("colours", tellLegend);
  on("buttons", tellLegend);
  tellLegend();
}
