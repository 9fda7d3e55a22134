"""`python -m runner` is `trueup`."""

from runner.cli import main

main()
