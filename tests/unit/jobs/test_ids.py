"""Ids: unique, and in the order of their making."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

from jobs.base import ids


def test_an_id_is_its_prefix_and_26_characters_of_crockfords_base_32():
    assert re.fullmatch(r"job_[0-9a-hjkmnp-tv-z]{26}", ids.new_id("job"))


def milliseconds():
    return time.time_ns() // 1_000_000


def read_time(made):
    number = 0
    for letter in made.partition("_")[2]:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    return number >> 80


def test_a_later_id_sorts_after_an_earlier_one():
    made = []
    for _ in range(50):
        made.append(ids.new_id("job"))
        while milliseconds() <= read_time(made[-1]):
            pass
    assert made == sorted(made)


def test_the_time_of_an_id_can_be_read_from_it():
    before = milliseconds()
    made = ids.new_id("evt")
    assert before <= read_time(made) <= milliseconds()


def test_twenty_thousand_ids_of_four_threads_are_all_different():
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ids.new_id("job"), range(20_000)))
    assert len(set(made)) == len(made)
    assert len({ids.new_token() for _ in range(10_000)}) == 10_000
