// What jobs and ranks are called.

import {trace} from "./state.js";

export function jobTitle(job) {
  const pool = trace.pools.length > 1 ? `, pool ${trace.pools[trace.pool[job]].id}` : "";
  return `${trace.by[trace.name[job]].short}, job ${trace.id[job]}${pool}`;
}

export const statusOf = job => trace.statuses[trace.status[job]];
export const rankName = rank => (rank === 0 && trace.ranks > 1 ? "rank 0 (main)" : `rank ${rank}`);
