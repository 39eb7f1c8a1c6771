import re
from pathlib import Path

import pytest

from tests.deep.__main__ import main
from tests.deep.parts import PARTS, Part
from tests.deep.report import report
from tests.deep.running import last_outcome, run

SAYS = "import os; print('begun'); print('seen', os.environ['WHAT']); raise SystemExit(3)"


@pytest.fixture
def part() -> Part:
    return Part("small", "that it runs", ("-c", SAYS), 1, re.compile("^seen"), {"WHAT": "figures"})


def test_a_part_is_run_kept_and_told_of_with_its_figures_and_how_it_ended(
    part: Part, tmp_path: Path
) -> None:
    assert last_outcome(part, tmp_path) is None
    outcome = run(part, ["--more"], tmp_path)
    assert (outcome.status, outcome.figures) == (3, ["seen figures"])
    assert last_outcome(part, tmp_path) == outcome
    page = report([(part, outcome)])
    assert f"| `small` | that it runs | {outcome.day}, no commit |" in page
    assert "| **with 3** |" in page
    assert "## small with `--more`\n\n```\nseen figures\n```" in page


def test_a_part_that_was_not_run_is_said_not_to_have_been(part: Part) -> None:
    assert "| not by `make deep` | about 1 |" in report([(part, None)])


@pytest.mark.parametrize("arguments", [["nothing"], ["fuzz", "bombs", "--", "--x"], ["--", "--x"]])
def test_what_is_no_part_is_told_with_those_that_there_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert ", ".join(PARTS) in capsys.readouterr().err


def test_every_part_runs_what_is_there() -> None:
    root = Path(__file__).parents[3]
    for part in PARTS.values():
        flag, module, *arguments = part.command
        assert flag == "-m"
        path = root / module.replace(".", "/")
        assert module == "pytest" or path.is_dir() or path.with_suffix(".py").is_file(), part.name
        assert all((root / each).exists() for each in arguments if each.startswith("tests/"))
