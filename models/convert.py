"""`python -m models.convert SOURCE TARGET`: a state dict becomes safetensors.

SOURCE is a .pth, .pt, .bin or .safetensors file; pickles are read with `weights_only=True`, so that
none of their code runs. `pixelmill push` starts this on the caller's own machine. Ends with status
2 and one line when the file is no state dict.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import sys
from pathlib import Path


def main(source: Path, target: Path) -> int:
    """Convert one file; returns the exit status."""
    from models.records.errors import ModelError

    try:
        from models.runtime.weights import convert

        target.write_bytes(convert(source))
    except (ModelError, OSError, ImportError) as err:
        print(err, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
