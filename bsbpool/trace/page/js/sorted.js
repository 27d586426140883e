// Looking things up in sorted lists.

// The last place in sorted `list` with a value not above `x`; -1 if there is none.
export function last(list, x, from = 0, to = list.length) {
  while (from < to) {
    const mid = (from + to) >> 1;
    if (list[mid] <= x) from = mid + 1;
    else to = mid;
  }
  return from - 1;
}
