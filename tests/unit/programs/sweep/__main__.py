import itertools
import logging
import sys

from . import COMM, run, workers


def area(radius, sides):
    return round(0.5 * sides * radius**2, 3)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING if COMM.rank else logging.INFO, stream=sys.stdout, format="%(message)s")
    tasks = list(itertools.product([0.5, 1.0, 2.0], [3, 4, 5, 6]))
    results = run(area, tasks)
    done = COMM.gather(workers.handled)
    if COMM.rank == 0:
        logging.info("%s", results)
        print(sorted(number for each in done for number in each) == list(range(len(tasks))))
    sys.exit(4 if COMM.rank == COMM.size - 1 else 0)
