"""Run long proofs: `python -m tests.deep [PART ...] [-- OPTION ...]`; without a part, all.

What stands behind `--` goes to the part, of which there must be one then. Exits with 1 when a part
did not end as it should. `--list` names the parts.
"""

import sys
from collections.abc import Sequence

from tests.deep.parts import PARTS
from tests.deep.report import report
from tests.deep.running import ROOT, last_outcome, run


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; gives the exit code."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:cut], arguments[cut + 1 :]
    if "--list" in names:
        for part in PARTS.values():
            print(f"{part.name:10} about {part.minutes:3} minutes: {part.proves}")
        return 0
    unknown = set(names) - PARTS.keys()
    if unknown or (options and len(names) != 1):
        wrong = f"There is no part {', '.join(sorted(unknown))}." if unknown else "Name one part."
        print(f"{wrong} The parts are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    outcomes = [run(PARTS[name], options) for name in names or PARTS]
    written = ((part, last_outcome(part)) for part in PARTS.values())
    (ROOT / "docs/deep.md").write_text(report(written))
    return 0 if all(outcome.status == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
