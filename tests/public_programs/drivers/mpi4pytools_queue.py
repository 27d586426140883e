"""mpi4pytools: rank 0 has a queue of tasks, and the other ranks execute them."""

from __future__ import annotations

from mpitools.queue import MPIQueue, Task


class Square(Task):
    def __init__(self, task_id: str, number: int):
        super().__init__(task_id)
        self.number = number

    def execute(self) -> int:
        return self.number**2


if __name__ == "__main__":
    queue = MPIQueue()
    if queue.rank == 0:
        queue.add_tasks([Square(f"task {n}", n) for n in range(5)])
    results = queue.run()
    if results is not None:
        print(sorted((name, result.result) for name, result in results.items()))
