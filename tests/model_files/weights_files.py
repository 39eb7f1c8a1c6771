"""Safetensors files for tests: the shipped digits network, changed, and hostile ones."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from models.catalog import SHIPPED, shipped_weights
from models.runtime import weights as weights_file

Tensors = dict[str, torch.Tensor]

DIGITS = shipped_weights("digits").read_bytes()
RECORD: dict[str, Any] = {"architecture": "digits", "labels": [str(digit) for digit in range(10)]}

assert SHIPPED["digits"].architecture == RECORD["architecture"]


def changed_digits(change: Callable[[Tensors], object]) -> bytes:
    """Give the shipped weights after a change to their tensors."""
    tensors = weights_file.read(DIGITS)
    change(tensors)
    return weights_file.write(tensors)


def noisy_digits(seed: int) -> bytes:
    """Give weights that answer as the shipped ones do, nearly, and have another digest."""
    generator = torch.Generator().manual_seed(seed)

    def add_noise(tensors: Tensors) -> None:
        bias = tensors["dense2.bias"]
        bias += 1e-4 * torch.randn(bias.shape, generator=generator)

    return changed_digits(add_noise)


def safetensors(header: Any, body: bytes = b"") -> bytes:
    """Write a file with any header, true or not."""
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(text)) + text + body


class Bomb:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def bomb(path: Path) -> bytes:
    """Give a checkpoint as torch writes it, that makes a folder when it is read carelessly."""
    target = path.with_suffix(".pth")
    torch.save({"weight": torch.zeros(1), "bomb": Bomb(path)}, target)
    return target.read_bytes()


def bare_bomb(path: Path) -> bytes:
    return pickle.dumps(Bomb(path))


def hostile_files(trap: Path) -> dict[str, bytes]:
    """Give files that must be refused at once, by what is wrong with them."""
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return {
        "empty": b"x",
        "torch pickle": bomb(trap),
        "bare pickle": bare_bomb(trap),
        "header beyond the file": struct.pack("<Q", 2**60) + b"{}",
        "header of megabytes": struct.pack("<Q", 2**25) + b"{}".ljust(2**25),
        "no json": safetensors(b"{'a'"),
        "nested": safetensors(b"[" * 100_000),
        "no object": safetensors([1]),
        "nothing in it": safetensors({"__metadata__": {}}),
        "a name twice": safetensors(b'{"a":1,"a":1}'),
        "terabytes": safetensors(
            {"a": {**one, "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
        ),
        "more than its bytes": safetensors({"a": {**one, "shape": [2]}}, bytes(4)),
        "a negative side": safetensors({"a": {**one, "shape": [-1, -1]}}, bytes(4)),
        "a truth value for a side": safetensors({"a": {**one, "shape": [True]}}, bytes(4)),
        "a word for a side": safetensors({"a": {**one, "shape": "1"}}, bytes(4)),
        "an unknown kind": safetensors({"a": {**one, "dtype": "OBJECT"}}, bytes(4)),
        "two in one place": safetensors({"a": one, "b": one}, bytes(4)),
        "a gap": safetensors({"a": {**one, "data_offsets": [4, 8]}}, bytes(8)),
        "bytes left over": safetensors({"a": one}, bytes(9)),
        "cut short": DIGITS[:-1],
    }
