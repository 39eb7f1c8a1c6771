"""`python -m pixelmill` is the command `pixelmill`."""

from pixelmill.cli.commands import main

main()
