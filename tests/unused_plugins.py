"""Plugins of pytest that tests on real ranks do not use: else each rank would load them."""

#: Those that take longer to load than all else.
SLOW = ("hypothesispytest", "faker")

#: Those that no test on ranks has an option of.
WITHOUT_OPTIONS = ("xdist", "xdist.looponfail", "pytest_cov", "rerunfailures")
