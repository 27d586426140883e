// The columns of integers of the data, from the planes of bytes in which packed_data.py wrote them, as typed arrays.

// What holds integers of so many bytes; of more than four only those up to 2 ** 53 are exact.
const holders = [null, Int8Array, Int16Array, Int32Array, Int32Array];

// Puts each column where its path says: a list of keys.
export function addColumns(data, bytes) {
  let at = 0;
  for (const [path, count, width] of data.columns) {
    const keys = path.slice(0, -1);
    keys.reduce((inside, key) => inside[key], data)[path[path.length - 1]] = columnOf(bytes, at, count, width);
    at += count * width;
  }
  if (at !== bytes.length) throw new Error("Its columns are damaged.");
}

export function columnOf(bytes, at, count, width) {
  const made = new (holders[width] || Float64Array)(count);
  for (let plane = 0; plane < width; plane++, at += count) {
    const worth = 2 ** (8 * plane);
    // The highest byte has the sign.
    const signed = plane === width - 1 ? 24 : 0;
    for (let k = 0; k < count; k++) made[k] += ((bytes[at + k] << signed) >> signed) * worth;
  }
  return made;
}
