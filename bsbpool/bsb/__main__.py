"""`python -m bsbpool.bsb`: a command of BSB's own `bsb`, with this pool."""

from bsbpool.bsb import main

main()
