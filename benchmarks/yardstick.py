"""How much of the bare loop's speed is left after HTTP, queue, database and storage.

Rows of the table: photos (decode-bound), resnet50 (network-bound), digits (overhead-bound).
"""

from collections.abc import Mapping

from benchmarks.contest import (
    OURS,
    PEERS,
    RAW,
    UPLOADED,
    Contestant,
    Turns,
    hold,
    tuned_raw,
    untuned_raw,
)
from benchmarks.figures import Verdict
from benchmarks.report import Row
from benchmarks.works import Work, digits, photos

_ROUNDS, _QUICK_ROUNDS = 5, 1
_JOB_ITEMS, _CLIENTS = 10, 8


def measure_photos(quick: bool) -> Row:
    """2,000 photos: raw, Pixelmill, with the upload, as 200 jobs of 8 clients, and the peers."""
    count = 400 if quick else 2000
    many = f", {count // _JOB_ITEMS} jobs of {_CLIENTS} clients"
    turns = {
        "": {},
        UPLOADED: {"upload": True},
        many: {"clients": _CLIENTS, "each": _JOB_ITEMS},
    }
    peers = () if quick else tuple(each for each in PEERS if each.is_installed)
    for missing in (each for each in PEERS if each not in peers):
        print(f"{missing.name}: left out, not installed (make peers) or not asked for")
    wanted = {"": 0.90, UPLOADED: 0.82, many: 0.60}
    ourself = Contestant(OURS, "pixelmill_stack", turns=turns)
    title = f"{count} JPEG photos, MobileNetV3-small"
    return _contest(title, photos(count), ourself, peers, wanted, quick)


def measure_resnet50(quick: bool) -> Row:
    """300 photos, ResNet-50."""
    count = 32 if quick else 300
    work = photos(count, "torchvision/resnet50")
    ourself = Contestant(OURS, "pixelmill_stack")
    return _contest(f"{count} JPEG photos, ResNet-50", work, ourself, (), {"": 0.95}, quick)


def measure_digits(quick: bool) -> Row:
    """20,000 digits."""
    count = 4000 if quick else 20_000
    ourself = Contestant(OURS, "pixelmill_stack")
    return _contest(f"{count} digits, PNG", digits(count), ourself, (), {"": 0.70}, quick)


def _contest(
    title: str,
    work: Work,
    ourself: Contestant,
    peers: tuple[Contestant, ...],
    wanted: Mapping[str, float],
    quick: bool,
) -> Row:
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    bare = untuned_raw() if quick else tuned_raw(work)
    table = hold(work, (bare, ourself, *peers), rounds)
    verdicts = [_verdict(table, OURS + turn, RAW, least) for turn, least in wanted.items()]
    for peer in peers:
        least = 3.0 if peer.name.startswith("Celery") else 2.0
        verdicts.append(_verdict(table, OURS, peer.name, least))
    return Row(title, verdicts=verdicts, parity=parity_of(table), turns=table)


def _verdict(table: Mapping[str, Turns], line: str, other: str, least: float) -> Verdict:
    ratio = table[line].ratio_to(table[other])
    return Verdict(f"{line} {ratio:.3f} x {other} >= {least}", ratio >= least)


def parity_of(table: Mapping[str, Turns]) -> list[Verdict]:
    """Say of every line but raw's whether its labels are those of raw."""
    verdicts = []
    for line, turns in table.items():
        if line != RAW:
            others = max(turns.other_labels)
            wanted = f"{line}: every label is raw's ({others} are others)"
            verdicts.append(Verdict(wanted, others == 0))
    return verdicts
