// Light and dark, and paper, which is light.

import {readColours} from "./colours.js";
import {byId} from "./elements.js";
import {paint} from "./painting.js";
import {changed, trace} from "./state.js";

const system = matchMedia("(prefers-color-scheme: dark)");

let theme = "auto"; // or light, or dark

// Sets the colours as was chosen, or another way for a while.
function applyTheme(wanted = theme) {
  document.documentElement.dataset.theme = wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
  byId("theme").textContent = `Theme: ${theme}`;
  if (!trace) return;
  readColours(trace.by, trace.idle.causes);
  changed("colours", "picture");
}

// From light to dark to what the system prefers.
export function nextTheme() {
  theme = {auto: "light", light: "dark", dark: "auto"}[theme];
  applyTheme();
}

export function beginTheme() {
  system.addEventListener("change", () => applyTheme());
  addEventListener("beforeprint", () => {
    if (!trace) return;
    applyTheme("light");
    paint(true);
  });
  addEventListener("afterprint", () => applyTheme());
  applyTheme();
}
