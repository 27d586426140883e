// The legend: a button for each strategy, which dims the others, and how bars are hatched.

import {COLOURS, colours} from "./colours.js";
import {button, byId, element} from "./elements.js";
import {changed, chosen, on, trace} from "./state.js";

export function beginLegend() {
  on("colours", recolourLegend);
  on("legend", press);

  const items = trace.by.map((strategy, k) =>
    element(
      "li",
      {},
      button(
        "",
        event => {
          if (!chosen.names.delete(k)) chosen.names.add(k);
          event.currentTarget.setAttribute("aria-pressed", chosen.names.has(k));
          changed("picture");
        },
        {"aria-pressed": "false"},
      ),
    ),
  );
  items.forEach((item, k) =>
    item.firstChild.append(
      element("i", {colour: colours.css[k]}),
      trace.by[k].short,
      element("b", {}, trace.by[k].jobs.toLocaleString("en")),
    ),
  );
  const looks = [
    ["failed", "failed", 3],
    ["aborted", "aborted", 1],
    ["running", "still running", 2],
  ];
  for (const [css, text, look] of looks) {
    if (trace.laneLook.includes(look)) items.push(element("li", {class: "key"}, element("i", {class: css}), text));
  }
  items.push(element("li", {class: "key"}, element("i", {class: "idle"}), "idle"));
  if (trace.by.length > COLOURS) {
    items.push(
      element("li", {class: "key"}, `After ${COLOURS} strategies colours come again: choose one to see it alone`),
    );
  }
  byId("legend").replaceChildren(...items);
}

function recolourLegend() {
  const swatches = byId("legend").querySelectorAll("button i");
  swatches.forEach((each, k) => {
    each.style.background = colours.css[k];
  });
}

// The buttons as strategies are chosen.
function press() {
  byId("legend")
    .querySelectorAll("button")
    .forEach((each, k) => each.setAttribute("aria-pressed", chosen.names.has(k)));
}
