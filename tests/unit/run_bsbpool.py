"""The `bsbpool` command as a file, for tests that start it in processes of its own and measure its coverage there."""

from bsbpool.cli import main

main()
