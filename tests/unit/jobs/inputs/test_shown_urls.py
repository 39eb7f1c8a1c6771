"""A URL as results show it: no signature, no user, and else as it was written."""

import pytest

from jobs.inputs.addresses import shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://b.example.com/a/b.jpg?X-Amz-Signature=1#f", "https://b.example.com/a/b.jpg"),
        ("http://user:secret@h.example:8080/x", "http://h.example:8080/x"),
        ("https://h.example?token=1", "https://h.example"),
        ("HTTP://h.example/a@b", "HTTP://h.example/a@b"),
        ("https://h.example/#?@", "https://h.example/"),
    ],
)
def test_what_may_be_secret_is_left_out(url: str, shown: str) -> None:
    assert shown_url(url) == shown
