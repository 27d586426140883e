"""The profile for hunting by hand; Hypothesis looks for it before it comes to the tests."""

from hypothesis import settings

settings.register_profile("thorough", max_examples=5000, deadline=None, print_blob=True)
