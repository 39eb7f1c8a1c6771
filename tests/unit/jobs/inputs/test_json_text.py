"""JSON from strangers takes no more memory than was foreseen, and says each thing once."""

import json
import tracemalloc

import pytest

from jobs.base.json_text import JsonTooLargeError, RepeatedKeyError, read_json

MIB = 1024 * 1024


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"{}," * 1000 + b"{}]",
        b"[" + b"1," * 1000 + b"1]",
        b"[" * 1000 + b"]" * 1000,
        b"{" + b",".join(b'"%d":1' % number for number in range(1000)) + b"}",
    ],
    ids=["objects", "numbers", "arrays", "members"],
)
def test_values_are_counted_before_they_are_made(text: bytes) -> None:
    with pytest.raises(JsonTooLargeError, match="values; at most 500"):
        read_json(text, 500)


def test_what_stands_inside_a_string_is_no_value() -> None:
    text = json.dumps({"a": '[{,"\\' * 1000}).encode()
    assert read_json(text, 500) == json.loads(text)


def peak_of(text: bytes, most: int = 800_000) -> int:
    tracemalloc.start()
    try:
        read_json(text, most)
    except JsonTooLargeError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"{}," * (21 * MIB) + b"{}]",
        b'["' + b"x" * 63 * MIB + '😀"]'.encode(),
        b'["' + b"x" * 63 * MIB + b'\\ud83d\\ude00"]',
        b'["' + b"x" * 63 * MIB + b'", "' + "😀".encode() + b'"]',
        b"[" + b",".join([b'"%s"' % ("é" * 500_000).encode()] * 60) + b"]",
    ],
    ids=["empty objects", "an emoji inside", "the same escaped", "an emoji beside", "accents"],
)
def test_sixty_megabytes_take_less_than_three_hundred(text: bytes) -> None:
    assert peak_of(text) < 240 * MIB


@pytest.mark.parametrize("count", [1, 400_000])
def test_any_text_is_read_as_it_stands(count: int) -> None:
    value = {"é": ["Zürich", "漢字", "😀", 'a"b\\c', "\u2028", 1.5, None, True]} | {
        str(number): "ü" for number in range(count)
    }
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert read_json(b"\xef\xbb\xbf" + text.encode(), 1_000_000) == value


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    for text in (b'["\xff"]', b'["' + b"x" * 2 * MIB + b'\xff"]', b'["' + b"x" * 2 * MIB + b"\xc3"):
        with pytest.raises(UnicodeDecodeError):
            read_json(text, 10)


def test_a_key_that_stands_twice_is_named() -> None:
    with pytest.raises(RepeatedKeyError, match="'model'") as caught:
        read_json(b'{"a": {"model": 1, "b": 2, "model": 3}}', 10)
    assert caught.value.key == "model"
