"""Base64 as callers write it, held against the standard library's encoders."""

import base64
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.base64_data import Base64Error, decode_base64


@given(st.binary(max_size=300))
def test_every_way_to_write_the_same_bytes_gives_them(content):
    plain = base64.b64encode(content).decode()
    forms = [
        plain,
        plain.rstrip("="),
        base64.urlsafe_b64encode(content).decode(),
        base64.urlsafe_b64encode(content).decode().rstrip("="),
        base64.encodebytes(content).decode(),
        base64.encodebytes(content).decode().replace("\n", "\r\n"),
        textwrap.indent(base64.encodebytes(content).decode(), "\t "),
    ]
    assert [decode_base64(form, 300) for form in forms] == [content] * len(forms)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("YWJj?GVm", "character 5 is '?'"),
        ("YWJj\nZG\x00m", r"character 8 is '\\x00'"),
        ("YWé=", r"character 3 is '\\xe9'"),
        ("YQ==YQ==", "character 3 is '='"),
        ("YWJj=", "character 5 is '='"),
        ("YQ===", "character 3 is '='"),
        ("YWJjZ", "break off"),
    ],
)
def test_anything_else_is_refused_with_its_place(text, told):
    with pytest.raises(Base64Error, match=told):
        decode_base64(text, 100)


def test_too_much_is_refused_before_it_is_decoded():
    assert len(decode_base64("A" * 400, 300)) == 300
    with pytest.raises(Base64Error, match="301 bytes, over 300"):
        decode_base64("A" * 402, 300)
    with pytest.raises(Base64Error, match="more than 300 bytes"):
        decode_base64("\n" * 10_000 + "A" * 4, 300)


@pytest.mark.parametrize("filling", ["=", " ", "= ", "=\n"])
def test_a_text_of_padding_and_blanks_is_read_once_and_not_again_from_each_of_its_places(filling):
    began = time.monotonic()
    with pytest.raises(Base64Error, match="'='"):
        decode_base64("AAAA=" + filling * 1_000_000 + "A=", 10**7)
    with pytest.raises(Base64Error, match="'='"):
        decode_base64("AAAA" + filling * 1_000_000 + "=", 10**7)
    # It was hours where each place was looked at from each.
    assert time.monotonic() - began < 10
