"""What a cached method kept stayed for ever where no pool freed it.

Line 0. Held by:
  tests/unit/test_caching.py::test_without_a_pool_the_memory_goes_with_its_owner
  tests/unit/test_identity.py::test_what_modules_keep_as_long_as_the_process_is_bounded
"""

import gc
import weakref

from trying import verdict

from bsbpool import Owner, pool_cache


class Large:
    pass


class Node:
    def __init__(self, owner):
        self.scaffold = owner

    def get_node_name(self):
        return "node"

    @pool_cache
    def loaded(self):
        return Large()


values = []
for _ in range(100):
    owner = Owner()
    node = Node(owner)
    values.append(weakref.ref(node.loaded()))
    del node, owner
gc.collect()
kept = sum(value() is not None for value in values)
verdict(kept == 0, f"{kept} of 100 values are kept although their nodes and owners are gone")
