"""All that was skipped is counted, and little of it is kept."""

from jobs.inputs.budgets import LISTED_SKIPS, LONGEST_ID, MOST_REASONS
from jobs.inputs.skipping import Skips


def test_files_are_counted_by_reason_and_the_first_named():
    skips = Skips()
    for number in range(250):
        skips.note(f"{number}/.DS_Store", "system_file")
    skips.note("link", "symlink")
    found = skips.to_json()
    assert found["count"] == 251
    assert found["by_reason"] == {"system_file": 250, "symlink": 1}
    assert len(found["names"]) == LISTED_SKIPS
    assert found["names"][1] == {"name": "1/.DS_Store", "reason": "system_file"}


def test_names_and_reasons_stay_within_their_budgets():
    skips = Skips()
    for number in range(3 * MOST_REASONS):
        skips.note("x\u202e" * 10_000, f"reason_{number}")
    found = skips.to_json()
    assert found["count"] == 3 * MOST_REASONS
    assert len(found["by_reason"]) <= MOST_REASONS + 1
    assert {len(each["name"]) for each in found["names"]} == {LONGEST_ID}


def test_where_nothing_was_skipped_nothing_is_kept():
    assert Skips().to_json() is None
