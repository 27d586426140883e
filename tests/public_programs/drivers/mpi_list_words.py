"""mpi_list: a list that is spread over the ranks is mapped, filtered, reduced, and collected."""

from __future__ import annotations

import operator

from mpi_list import Context

if __name__ == "__main__":
    context = Context()
    numbers = context.iterates(20)
    squares = numbers.map(lambda n: n * n)
    even = squares.filter(lambda n: n % 2 == 0)
    print(squares.reduce(operator.add, 0, True), even.collect(), even.len())
    print(squares.scan(operator.add).collect())
