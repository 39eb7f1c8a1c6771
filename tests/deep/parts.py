"""The parts of `make deep`: what each proves, how it is run, and which of its lines are figures."""

import re
from dataclasses import dataclass, field

_PYTEST_END = r"^=+ .*(?:passed|failed|error|no tests ran).*=+$"


@dataclass(frozen=True, slots=True)
class Part:
    """One long proof; `command` are arguments of Python, `minutes` what it takes on two cores."""

    name: str
    proves: str
    command: tuple[str, ...]
    minutes: int
    # Lines of its output that are told in the report match this.
    figures: re.Pattern[str]
    variables: dict[str, str] = field(default_factory=dict)


def _part(
    name: str, proves: str, command: str, minutes: int, figures: str, **variables: str
) -> Part:
    return Part(name, proves, tuple(command.split()), minutes, re.compile(figures), variables)


PARTS = {
    part.name: part
    for part in (
        _part(
            "tests",
            "tests with the mark `deep`",
            "-m pytest -m deep -q -o addopts= --strict-markers --import-mode=importlib",
            10,
            rf"{_PYTEST_END}|^FAILED|\d+ (?:passed|failed|deselected)",
        ),
        _part(
            "mutations",
            "faults in the code are noticed by the tests that are named for them",
            "-m tests.mutations",
            15,
            r"^\d+ of \d+ mutations|^(?:survived|not found|unclear)|^\d+ red",
        ),
        _part(
            "faults",
            "nothing is lost or doubled whatever dies, five seeds of each fault",
            "-m pytest tests/faults -n 4 --dist loadfile -q",
            20,
            rf"{_PYTEST_END}|^FAILED|\d+ (?:passed|failed)|lost",
            PIXELMILL_FAULT_SEEDS="5",
        ),
        _part(
            "fuzz",
            "mutated pictures, films and archives cost themselves and nothing else",
            "-m tests.odd.fuzz",
            90,
            r"^seed |^fuzz_|FAULT|^\d+ faults$",
        ),
        _part(
            "bombs",
            "small files that ask for much keep nobody else waiting",
            "-m pytest tests/bombs -s -q",
            15,
            rf"{_PYTEST_END}|^FAILED|\d+ (?:passed|failed)",
        ),
        _part(
            "models",
            "networks of others answer as their own libraries do",
            "-m benchmarks.parity.model_parity",
            30,
            r"^\|",
            HF_HUB_OFFLINE="1",
        ),
        _part(
            "decoding",
            "fast decoding answers as exact decoding does, on the photos in build/photos",
            "-m benchmarks.parity.decoding_parity",
            30,
            r"^\|",
        ),
        _part(
            "claims",
            "claims stay fast among a million shards",
            "-m benchmarks.rows.claims",
            10,
            r"\d",
        ),
        _part(
            "fairness",
            "device time is shared by weights, on a whole stack",
            "-m benchmarks.rows.fairness",
            10,
            r"\d",
        ),
    )
}
