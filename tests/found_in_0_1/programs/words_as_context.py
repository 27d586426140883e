"""priority=3 and other words that other pools use were taken for context in silence.

Line 19. Held by:
  tests/pool/test_what_queue_refuses.py::test_a_context_entry_that_looks_like_an_option_is_refused_with_what_to_write
  tests/pool/test_what_queue_refuses.py::test_an_explicit_context_maps_names_to_values
"""

from trying import verdict

import bsbpool

taken = []
with bsbpool.job_pool(quiet=True) as pool:
    for name in ("priority", "timeout_s", "retries", "depends_on", "timeot", "dep", "arg"):
        try:
            pool.queue(id, **{name: 3})
            taken.append(name)
        except TypeError:
            pass
    try:
        explicit = pool.queue(id, context={"priority": 3})
        explicit = explicit.context if isinstance(explicit.context, dict) else explicit.context.__dict__
    except Exception as error:
        explicit = error
verdict(
    not taken and "priority" in str(explicit),
    f"taken for context: {', '.join(taken) or 'none'}; explicitly: {explicit}",
)
