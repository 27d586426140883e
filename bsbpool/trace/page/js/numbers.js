// Numbers as a person reads them.

// `toLocaleString` makes a format each time, which takes longer than to use one.
const whole = new Intl.NumberFormat("en");
const formats = []; // by the number of digits behind the point

const withDigits = (value, digits) => {
  const made = {minimumFractionDigits: digits, maximumFractionDigits: digits};
  if (!formats[digits]) formats[digits] = new Intl.NumberFormat("en", made);
  return formats[digits].format(value);
};

export const grouped = n => whole.format(n);
export const many = (n, what) => `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;
export const percent = share => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

// Nanoseconds as a person reads them, as `bsbpool run` writes them.
export function duration(ns) {
  if (!(ns > 0)) return "0 s";
  const [size, unit] = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
  ].find(([least]) => ns >= least) || [1, "ns"];
  const value = ns / size,
    digits = value < 9.995 ? 2 : value < 999.95 ? 1 : 0;
  return `${withDigits(value, digits)} ${unit}`;
}

// A time on an axis of length `span`, as fine as `step` asks.
export function clock(ns, step, span) {
  const [size, unit] = span >= 1e9 ? [1e9, "s"] : span >= 1e6 ? [1e6, "ms"] : span >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9)));
  return `${withDigits(ns / size, digits)} ${unit}`;
}

// The next of 1, 2, 5, 10, 20, … that is not less than `least`.
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(m => m * power).find(step => step >= least * (1 - 1e-9));
}
