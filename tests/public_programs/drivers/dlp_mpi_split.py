"""dlp_mpi: rank 0 gives out what is to be done, as the others come for it."""

from __future__ import annotations

import dlp_mpi

if __name__ == "__main__":
    total = 0
    for each in dlp_mpi.split_managed(range(12), progress_bar=False):
        total += each * each
    total = dlp_mpi.gather(total, root=0)
    if dlp_mpi.IS_MASTER:
        print(sum(total))
    print([*dlp_mpi.split_round_robin(range(10))])
