"""distwq: a controller submits calls, and workers serve them."""

from __future__ import annotations

import distwq


def double(x: int) -> int:
    return 2 * x


def main(controller) -> None:
    for n in range(6):
        controller.submit_call("double", (n,), module_name="distwq_jobs")
    found = []
    for _ in range(6):
        _, result = controller.get_next_result()
        found.append(result)
    print(sorted(found))


if __name__ == "__main__":
    if distwq.is_controller:
        distwq.run(fun_name="main", verbose=False, nprocs_per_worker=1, module_name="distwq_jobs")
    else:
        distwq.run(verbose=False, nprocs_per_worker=1, module_name="distwq_jobs")
