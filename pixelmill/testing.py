"""A test kit for packages of networks of one's own (docs/models.md).

    from pixelmill.testing import check_package, checks_of

    def test_all() -> None:                              # everything, in one test
        check_package("own_model", weights="lamps.safetensors")

    @pytest.mark.parametrize("check", checks_of("own_model"), ids=str)     # or a test for each
    def test_package(check) -> None:
        check()

`predict` answers one picture as a worker would, for tests of what is right. All of it needs what
workers need (`pip install 'pixelmill[workers]'`), from the first call on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Weights = Path | str | Mapping[str, Path | str] | None
Records = Mapping[str, Mapping[str, Any]]


class PackageFault(AssertionError):
    """A package does not hold to what workers expect of it: a line for each fault."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the lines, and be all of them as text."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that one architecture must hold to; to be called."""

    name: str
    _run: Callable[[], list[str]] = field(repr=False)

    def __call__(self) -> None:
        """Run it; raises PackageFault."""
        if faults := self._run():
            raise PackageFault(faults)

    def __str__(self) -> str:
        """Say what it checks, for the names of tests."""
        return self.name


def check_package(name: str, weights: Weights = None, records: Records | None = None) -> None:
    """Run every check of a module that PIXELMILL_EXTENSIONS could name; raises PackageFault.

    `weights` is a file (safetensors or a state dict) for the one architecture that there is, or a
    dict of files by their names; without it weights are random. `records` are members of a record
    that an architecture leaves to whoever pushes, by its name: `{"own/lamps": {"labels": ["on"]}}`.
    """
    from models.checking.package import faults_of

    if faults := faults_of(name, weights, records):
        raise PackageFault(faults)


def checks_of(name: str, weights: Weights = None, records: Records | None = None) -> list[Check]:
    """Give the same checks one by one; `str` of each says what it is."""
    from models.checking.package import checks_of as found_checks

    found = found_checks(name, weights, records)
    return [Check(what, run) for what, run in found.items()]


def predict(
    name: str,
    picture: bytes | Path,
    architecture: str | None = None,
    *,
    weights: Weights = None,
    params: Mapping[str, Any] | None = None,
    records: Records | None = None,
) -> list[dict[str, Any]]:
    """Give the predictions that a worker would for one picture, a file or its bytes.

    `architecture` is one of the module's, the first unless said; `params` are a job's. Raises the
    error, of one sentence, that the item would have.
    """
    from models.checking.package import predict as answered

    data = picture if isinstance(picture, bytes) else picture.read_bytes()
    return answered(name, data, architecture, weights, params, records)
