"""Odd archives give the files that were put into them, and tell what they do not give."""

import pytest

from tests.odd.packed.archives import FAMILIES, archives_of, fault


@pytest.mark.parametrize("family", FAMILIES)
def test_every_odd_archive_gives_its_files_or_its_error(family: str) -> None:
    faults = [told for odd in archives_of(family) if (told := fault(odd)) is not None]
    assert not faults, "\n".join(faults)


def test_there_are_enough_of_them() -> None:
    assert sum(len(archives_of(family)) for family in FAMILIES) >= 50
