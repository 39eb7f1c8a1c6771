"""Every metric stands in its document, has a few values a label, and costs few series."""

import re
from pathlib import Path

from prometheus_client import Histogram

from jobs.metrics import metrics
from jobs.metrics.declaring import DECLARED

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"

# What tells of one caller, item or process among arbitrarily many.
_UNBOUNDED = {
    "tenant",
    "job",
    "key",
    "file",
    "filename",
    "path",
    "url",
    "model",
    "version_id",
    "id",
}


def test_the_document_has_one_row_for_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `(pixelmill_\w+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    wanted = {
        each.name: f"{each.kind} | {', '.join(f'`{x}`' for x in each.labels) or '–'} | {each.help}"
        for each in DECLARED.values()
    }
    assert dict(rows) == wanted
    assert len(rows) == len(wanted) > 30


def test_names_follow_prometheus_own_rules() -> None:
    for each in DECLARED.values():
        assert each.name.startswith("pixelmill_")
        assert each.name.endswith("_total") == (each.kind == "counter"), each.name
        assert each.help.endswith("."), each.name


def test_no_label_holds_what_a_caller_chooses() -> None:
    assert not {label for each in DECLARED.values() for label in each.labels} & _UNBOUNDED


def test_every_metric_that_is_declared_is_recorded_somewhere() -> None:
    house = Path(__file__).parents[2]
    code = "\n".join(
        path.read_text()
        for package in ("api", "jobs", "workers")
        for path in (house / package).rglob("*.py")
    )
    names = [name for name in vars(metrics) if name.isupper() and not name.startswith("_")]
    assert len(names) == len(DECLARED)
    assert [name for name in names if f"metrics.{name}" not in code] == []


def test_a_histogram_has_few_buckets() -> None:
    found = [each for each in vars(metrics).values() if isinstance(each, Histogram)]
    assert found
    assert all(len(each._upper_bounds) <= 14 for each in found)
