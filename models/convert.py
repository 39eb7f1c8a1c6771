"""`python -m models.convert SOURCE [TARGET]`: a state dict becomes safetensors.

SOURCE is a .pth, .pt, .bin or .safetensors file; pickles are read with `weights_only=True`, so that
none of their code runs. `--state-dict KEY` and `--architecture NAME` say which state dict of
several is meant. Without TARGET the file is looked at alone, which takes no torch. `pixelmill push`
starts this on the caller's own machine; what it should say of a choice goes to standard output.
Ends with status 2 and one line when the file is no state dict.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.checkpoints.pickles import check_pickle
from models.records.errors import ModelError
from models.records.weights_header import check_header, looks_pickled
from models.records.weights_kind import weights_kind


def look(source: Path) -> None:
    """Refuse what can be told to be no state dict without torch; raises WeightsError, OSError."""
    with source.open("rb") as file:

        def read(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        if looks_pickled(read(0, 9)):
            file.seek(0)
            check_pickle(file)
        else:
            size = source.stat().st_size
            weights_kind(size, read)  # says what a text is, or an archive
            check_header(size, read)


def main(arguments: Sequence[str]) -> int:
    """Convert one file, or look at it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="models.convert")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--state-dict", metavar="KEY")
    parser.add_argument("--architecture", metavar="NAME")
    given = parser.parse_args(arguments)
    try:
        look(given.source)
        if given.target is not None:
            from models.runtime.weights import convert

            given.target.write_bytes(
                convert(given.source, given.architecture, given.state_dict, print)
            )
    except (ModelError, OSError, ImportError) as err:
        print(err, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
