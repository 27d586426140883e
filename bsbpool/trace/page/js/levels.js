// Grids over time, from fine to coarse: each level has half as many cells as the one before. What paints takes the
// coarsest level whose cells are no longer than a column of pixels, so a frame costs what is on the screen.

// How many cells the finest level has: the power of two that is not above `most`.
export const cellsFor = most => 2 ** Math.floor(Math.log2(Math.max(1, most)));

// The number of the level, 0 for the finest, for columns of so many nanoseconds each; -1 if all are too coarse.
export function levelFor(cells, span, column) {
  const level = Math.floor(Math.log2((column * cells) / span));
  return level < 0 ? -1 : Math.min(level, Math.log2(cells));
}
