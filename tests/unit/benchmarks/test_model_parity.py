"""A row of `make model-parity` falls when answers differ, and when a network looks at nothing."""

import pytest
import torch

from benchmarks.parity.compared import CONFIDENCE, COSINE, Measure, Row, compared, table
from benchmarks.parity.model_parity import SOURCES, report

SURE, UNSURE = torch.tensor([0.9, 0.1]), torch.tensor([0.5, 0.5])


def row(ours, theirs=SURE, measure=CONFIDENCE, two=(SURE, UNSURE)):
    (found,) = compared("theirs", "tiny", "classification", [measure], [(ours, theirs)], two)
    return found


def test_equal_answers_hold_and_others_fail():
    assert row(SURE).holds
    assert not row(SURE + 0.002).holds
    assert row(SURE, measure=COSINE).holds
    assert not row(torch.tensor([0.9, 0.12]), measure=COSINE).holds


def test_a_network_that_hardly_reacts_fails_however_equal_it_is():
    blind = row(SURE, two=(SURE, SURE + 0.009))
    assert (blind.reacts, blind.holds) == (False, False)
    assert "hardly reacts" in blind.verdict
    assert not row(SURE, measure=COSINE, two=(SURE, SURE)).holds


def test_the_worst_of_all_pictures_counts():
    pairs = [(SURE, SURE), (SURE, SURE + 0.0005), (SURE, SURE)]
    (found,) = compared("theirs", "tiny", "x", [CONFIDENCE], pairs, (SURE, UNSURE))
    assert found.worst == pytest.approx(0.0005, rel=1e-3)


def test_answers_of_other_sizes_are_as_far_apart_as_can_be():
    assert row(torch.zeros(3)).worst == float("inf")


def test_the_command_ends_with_1_when_one_row_fails(tmp_path, capsys):
    rows = [row(SURE), row(SURE + 0.002)]
    path = tmp_path / "model-parity.md"
    assert report(rows[:1], path) == 0
    assert report(rows, path) == 1
    assert report([], path) == 1, "nothing was compared"
    assert report(rows, path) == 1
    assert path.read_text().startswith(table(rows))
    assert "**FAILS**" in path.read_text()
    assert "2 rows, 1 that fail" in capsys.readouterr().out


def test_every_source_has_its_rows():
    from importlib import import_module

    assert all(callable(import_module(module).rows) for module in SOURCES.values())


def test_a_likeness_is_to_be_large():
    overlap = Measure("IoU", 0.99, lambda _ours, _theirs: 0.995, is_likeness=True)
    found = Row("theirs", "tiny", "x", overlap, worst=0.995, apart=0.2)
    assert found.holds
    assert not Row("theirs", "tiny", "x", overlap, worst=0.98, apart=0.2).holds
