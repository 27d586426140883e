"""The plugins for pytest: `ranks` runs one test in every world. pytest loads them by their entry points."""
