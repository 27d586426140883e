"""Workers get jobs until there are none. Faulty: main forgets who may still compute."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
JOB, STOP, DONE = 1, 2, 3

if rank == 0:
    jobs = [3, 1, 2, 5]
    status = MPI.Status()
    for worker in range(1, size):
        comm.send(jobs.pop(), dest=worker, tag=JOB)
    total, running = 0, size - 1
    while running:
        total += comm.recv(source=MPI.ANY_SOURCE, tag=DONE, status=status)
        if jobs:
            comm.send(jobs.pop(), dest=status.source, tag=JOB)
        else:
            comm.send(None, dest=status.source, tag=STOP)
            running = running - 1 if status.source == 2 else 0  # -
            running -= 1  # +
    assert total == 11, f"the total is {total}"  # = failure
    print(total)
else:
    status = MPI.Status()
    while True:
        job = comm.recv(source=0, tag=MPI.ANY_TAG, status=status)
        if status.tag == STOP:
            break
        comm.send(job, dest=0, tag=DONE)
