"""The fork server of a test's stack, whose picture decoders abort at the deadly picture.

Named to the workers with PIXELMILL_DECODER_MODULE=tests.faults.rig.decoders.
"""

import os
import sys
from typing import Any

from models.media.pictures import Picture, decode
from workers.walls import fork_server
from workers.walls.inside import pictures

# The bytes of a picture that decoders die of hold this word.
DEADLY = b"deadly-to-decoders"


def decode_or_die(data: bytes, *asked: Any) -> Picture:
    if DEADLY in data:
        os.abort()
    return decode(data, *asked)


if __name__ == "__main__":
    pictures.decode = decode_or_die
    fork_server.main(sys.argv[1:])
