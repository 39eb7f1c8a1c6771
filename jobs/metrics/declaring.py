"""How a metric is declared: once, and then it is recorded, rendered and documented.

A process that shares a folder with others (jobs.metrics.places) records into it; one that is alone
records into its memory. Which of the two, is settled before the first metric is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.metrics import disable_created_metrics

from jobs.metrics.places import figures_folder, take_place

Kind = Literal["counter", "gauge", "histogram"]

REGISTRY = CollectorRegistry()


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as documents, dashboards and alerts know it."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


DECLARED: dict[str, Declared] = {}


def counter(name: str, help_: str, *labels: str) -> Counter:
    """Declare what only goes up; `name` ends in `_total`."""
    _declare(name, "counter", labels, help_)
    return Counter(name, help_, labels, registry=REGISTRY)


def histogram(name: str, help_: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    """Declare what is observed, and how it is spread."""
    _declare(name, "histogram", labels, help_)
    return Histogram(name, help_, labels, buckets=buckets, registry=REGISTRY)


def gauge(name: str, help_: str, *labels: str, sums: bool = False) -> Gauge:
    """Declare what goes up and down; of several processes the sum counts, or the latest."""
    _declare(name, "gauge", labels, help_)
    mode: Literal["sum", "mostrecent"] = "sum" if sums else "mostrecent"
    return Gauge(name, help_, labels, registry=REGISTRY, multiprocess_mode=mode)


def asked(name: str, help_: str, *labels: str) -> Declared:
    """Declare a gauge that no process records: it is asked for when somebody scrapes."""
    return _declare(name, "gauge", labels, help_)


def _declare(name: str, kind: Kind, labels: tuple[str, ...], help_: str) -> Declared:
    if name in DECLARED:
        raise TypeError(f"two metrics are called {name}")
    return DECLARED.setdefault(name, Declared(name, kind, labels, help_))


def _record_where_others_do() -> None:
    folder = figures_folder()
    if folder is None:
        return
    place = take_place(folder)
    # What the dead one before counted goes on; what it measured is no longer true.
    for stale in folder.glob(f"gauge_*_{place}.db"):
        stale.unlink()
    # prometheus_client's own hook for other names of files than process ids.
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]


_record_where_others_do()
# A series beside each counter, of a time that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]
