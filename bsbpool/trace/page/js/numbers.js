// Numbers as a person reads them.

export const many = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
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
  return `${value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${unit}`;
}

// A time on an axis of length `span`, as fine as `step` asks.
export function clock(ns, step, span) {
  const [size, unit] = span >= 1e9 ? [1e9, "s"] : span >= 1e6 ? [1e6, "ms"] : span >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9)));
  return `${(ns / size).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${unit}`;
}

// The next of 1, 2, 5, 10, 20, … that is not less than `least`.
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(m => m * power).find(step => step >= least * (1 - 1e-9));
}
