// The colours of the picture: those of page.css, as the canvas and as single pixels want them.

export const COLOURS = 30; // so many strategies have one of their own

export let colours = {};

// Reads them again, after the theme has changed, for so many strategies, and causes of idle time.
export function readColours(strategies, causes) {
  const style = getComputedStyle(document.documentElement),
    get = name => style.getPropertyValue(`--${name}`).trim();
  const names = [
    "page",
    "card",
    "ink",
    "soft",
    "line",
    "line-strong",
    "lane",
    "accent",
    "fail",
    "fail-ink",
    "dim",
    "track",
    "ready",
    "cache",
    "halo",
  ];
  colours = Object.fromEntries(names.map(name => [name, get(name)]));
  const dark = get("dark") === "1",
    hues = Array.from({length: 10}, (_, k) => rgb(get(`c${k}`)));
  // From the eleventh strategy on: the same hues, lighter, then darker.
  colours.strategies = strategies.map((_, k) => {
    const tone = [0, dark ? -0.32 : 0.42, dark ? 0.42 : -0.3][Math.floor(k / 10) % 3];
    return mix(hues[k % 10], tone < 0 ? [0, 0, 0] : [255, 255, 255], Math.abs(tone));
  });
  colours.css = colours.strategies.map(c => `rgb(${c.map(Math.round).join(" ")})`);
  colours.text = colours.strategies.map(c => (luminance(c) > 0.3 ? "#14171c" : "#ffffff"));
  // Pixels: a strategy at 16 shares of being busy, over the lane's colour; the last entry is for what is dimmed.
  const lane = rgb(colours.lane);
  colours.pixels = new Uint32Array(17 * (strategies.length + 1));
  [...colours.strategies, rgb(colours.dim)].forEach((c, k) => {
    for (let share = 0; share <= 16; share++) colours.pixels[17 * k + share] = pixel(mix(lane, c, share / 16));
  });
  colours.lanePixel = pixel(lane);
  colours.causes = causes.map(([name]) => get(`idle-${name.toLowerCase().replaceAll("_", "-")}`));
  colours.causePixels = Uint32Array.from([colours.lanePixel, ...colours.causes.map(hex => pixel(rgb(hex)))]);
  colours.cardPixel = pixel(rgb(colours.card));
  colours.failPixel = pixel(rgb(colours.fail));
  colours.failInkPixel = pixel(rgb(colours["fail-ink"]));
}

export const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
export const mix = (a, b, share) => a.map((v, k) => v + (b[k] - v) * share);
export const pixel = ([r, g, b]) => ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;

export const luminance = c =>
  c
    .map(v => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
