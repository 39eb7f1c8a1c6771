"""What can be chosen of our own networks, in a record and over HTTP."""

from dataclasses import asdict
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from models.records.errors import RecordError
from models.records.options import NetworkOptions, read_options

BAD: list[tuple[dict[str, Any], str]] = [
    ({"kernel": 3}, "kernel"),
    ({"kernel_size": 4}, "kernel_size"),
    ({"kernel_size": "3"}, "kernel_size"),
    ({"kernel_size": True}, "kernel_size"),
    ({"activation": "swish"}, "activation"),
    ({"pooling": None}, "pooling"),
]


def test_what_is_left_out_is_as_it_was_published() -> None:
    assert read_options({}) == NetworkOptions(3, "relu", "max")
    chosen = {"kernel_size": 5, "activation": "tanh", "pooling": "average"}
    assert asdict(read_options(chosen)) == chosen


@pytest.mark.parametrize(("options", "name"), BAD)
def test_a_record_with_another_choice_is_refused_by_name(
    options: dict[str, Any], name: str
) -> None:
    with pytest.raises(RecordError, match=f"option '{name}' is refused"):
        read_options(options)


def test_a_kernel_is_a_whole_number_of_pixels() -> None:
    with pytest.raises(RecordError, match="kernel_size"):
        read_options({"kernel_size": 3.0})


@pytest.mark.parametrize(("options", "name"), BAD)
def test_so_is_a_caller(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        TypeAdapter(NetworkOptions).validate_python(options)
