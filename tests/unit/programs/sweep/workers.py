import logging

from mpi4py import MPI

COMM = MPI.COMM_WORLD
READY, TASK, DONE, STOP = range(4)
log = logging.getLogger(__name__)
handled = []


def run(function, tasks, comm=COMM):
    """The results, in the order of the tasks, on rank 0; None elsewhere."""
    if comm.rank:
        work(function, comm)
        return None
    results, left, status = {}, list(enumerate(tasks)), MPI.Status()
    for _ in range(1, comm.size):
        comm.recv(source=MPI.ANY_SOURCE, tag=READY, status=status)
        give(comm, status.source, left)
    while len(results) < len(tasks):
        number, result = comm.recv(source=MPI.ANY_SOURCE, tag=DONE, status=status)
        results[number] = result
        give(comm, status.source, left)
    return [results[number] for number in range(len(tasks))]


def give(comm, rank, left):
    if left:
        comm.send(left.pop(0), dest=rank, tag=TASK)
    else:
        comm.send(None, dest=rank, tag=STOP)


def work(function, comm):
    status = MPI.Status()
    comm.send(None, dest=0, tag=READY)
    while True:
        task = comm.recv(source=0, tag=MPI.ANY_TAG, status=status)
        if status.tag == STOP:
            return
        handled.append(task[0])
        log.info("task %d", task[0])
        comm.send((task[0], function(*task[1])), dest=0, tag=DONE)
