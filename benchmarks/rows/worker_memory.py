"""Whether a worker's memory depends on how large its jobs are: 1,000 items, then 100,000."""

from benchmarks.figures import Verdict
from benchmarks.report import Row
from benchmarks.stand import standing
from tests.e2e.conftest import many_digits_zip

_MIB = 1024**2
_FEW = 1000
_MOST_GROWTH = 0.10


def measure(quick: bool) -> Row:
    """Run both jobs in one process; its peak may not move."""
    many = 20_000 if quick else 100_000
    peaks = []
    with standing() as stand:
        # The small one twice: the first loads what stays loaded.
        for count in (_FEW, _FEW, many):
            archive = many_digits_zip(stand.folder / "digits.zip", count)
            stand.client.wait(stand.client.submit(archive, model="digits")).check()
            peaks.append(stand.peak_bytes("worker-0") / _MIB)
    growth = peaks[-1] / peaks[-2] - 1
    wanted = (
        f"{_FEW:,} -> {many:,} items: {peaks[-2]:.0f} -> {peaks[-1]:.0f} MiB, "
        f"{growth:+.1%} <= {_MOST_GROWTH:.0%}"
    )
    return Row("A worker's memory", [Verdict(wanted, growth <= _MOST_GROWTH)])
