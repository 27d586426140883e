// What all that draw on a canvas use.

import {plotW, plotX} from "./layout.js";

let family = "";

const getFont = () => family || (family = getComputedStyle(document.body).fontFamily);

export const font = (px, weight = 400) => `${weight} ${px}px ${getFont()}`;

// Draws what `body` draws, but only within the plot, from y on for so many pixels.
export function clip(c, y, height, body) {
  c.save();
  c.beginPath();
  c.rect(plotX(), y, plotW(), height);
  c.clip();
  body();
  c.restore();
}
