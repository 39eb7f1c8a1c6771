"""`python -m pixelmill` is the command `pixelmill`."""

from pixelmill.cli import main

main()
