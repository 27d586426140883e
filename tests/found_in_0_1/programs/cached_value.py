"""A cached method gave another node's value, since entries went by the id of node and owner.

Line 0. Held by:
  tests/unit/test_caching.py::test_a_new_node_never_gets_the_value_of_one_that_is_gone
  tests/unit/test_identity.py::test_each_place_that_goes_by_id_or_hash_was_looked_at
"""

import gc

from trying import verdict

from bsbpool import Owner, pool_cache


class Node:
    def __init__(self, name, owner):
        self.name, self.scaffold = name, owner

    def get_node_name(self):
        return self.name

    @pool_cache
    def loaded(self):
        return self.name


wrong = 0
for number in range(1000):
    node = Node(f"node {number}", Owner())
    wrong += node.loaded() != f"node {number}"
    del node
    gc.collect()
verdict(not wrong, f"{wrong} of 1000 nodes got the value of another one")
