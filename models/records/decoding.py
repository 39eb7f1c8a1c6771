"""How a picture's file is read: to every pixel, or scaled down by its decoder on the way.

Needs no pydantic: jobs may choose between them, and what runs networks knows them too.
"""

from typing import Final

FAST: Final = "fast"
EXACT: Final = "exact"
