"""On which databases a test runs: on both where statements stand, elsewhere on SQLite alone."""

import os
from pathlib import Path

# PIXELMILL_TEST_DATABASES=sqlite,postgresql runs all tests on both, =sqlite on one alone.
_ASKED = os.environ.get("PIXELMILL_TEST_DATABASES", "")

DATABASES = (_ASKED or "sqlite,postgresql").split(",")

# The rooms that hold the statements, and of those above whoever has some of its own, has to do with
# rights, or runs against others at once.
_ON_BOTH = (
    "integration/jobs",
    "integration/buckets/watches",
    "integration/api/jobs/test_idempotency.py",
    "integration/api/live",
    "integration/api/operation",
    "integration/api/page",
    "integration/workers/engine/test_engine.py",
    "integration/workers/errands/test_delivery.py",
    "faults",
)
_ROLES = "test_roles.py"
_TESTS = Path(__file__).parent


def databases_of(file: Path) -> list[str]:
    """Give the databases that the tests of a file run on."""
    place = file.relative_to(_TESTS)
    is_on_both = place.name == _ROLES or any(place.is_relative_to(each) for each in _ON_BOTH)
    return DATABASES if _ASKED or is_on_both else DATABASES[:1]
