"""A reconstruction in small: cells are placed chunk by chunk, and connected where both sides are there."""

import time

import bsbpool


def place(owner, cell, chunk):
    work(4 if cell == "granule" else 9)


def connect(owner, chunk, volume):
    work(6)
    return 1 / volume


def work(ms):
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end:
        pass


def main():
    with bsbpool.job_pool(quiet=True) as pool:
        if pool.is_main():
            for x in range(6):
                for y in range(4):
                    chunk = (x, y, 0)
                    granules = pool.queue(place, ("granule", chunk), submitter="granule", chunk=chunk)
                    golgis = pool.queue(place, ("golgi", chunk), submitter="golgi", chunk=chunk)
                    cells = [granules, golgis]
                    volume = (x - 4) ** 2 + (y - 2) ** 2  # nobody thought of chunk (4, 2, 0)
                    job = pool.queue(connect, (chunk, volume), submitter="golgi_granule", deps=cells, chunk=chunk)
                    pool.queue(connect, (chunk, 1), submitter="granule_golgi", deps=[job], chunk=chunk)
        pool.execute()


if __name__ == "__main__":
    main()
