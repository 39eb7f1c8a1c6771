"""The command line: one file a family of commands, and how they show, watch and end.

Imports client, stack and wire.
"""

from pixelmill.cli.commands import main

__all__ = ["main"]
