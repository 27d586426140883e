"""simplempi: each rank works on its part of a list."""

from __future__ import annotations

from simplempi.parfor import parfor, pprint

if __name__ == "__main__":
    for each in parfor(list(range(10))):
        pprint(each, each**2)
