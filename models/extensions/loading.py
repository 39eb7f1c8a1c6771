"""The modules of PIXELMILL_EXTENSIONS, and what is built of them.

A module is taken as a whole or not at all. One that cannot be used costs its own networks: what
else a worker runs goes on, and whoever asks for them is told what is wrong with it.
"""

import importlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from models.extensions.architecture import Architecture
from models.records.architectures import source_of
from models.records.errors import ExtensionNotLoaded, ModelError, RecordError
from models.records.record import ModelRecord

Given = TypeVar("Given")

_TABLE = "ARCHITECTURES"
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Own:
    """An architecture of an operator's own, with its name and the module that it came from."""

    name: str
    extension: str
    says: Architecture

    def __str__(self) -> str:
        """Name it as errors do."""
        return f"the architecture {self.name!r} of the extension {self.extension!r}"

    def build(self, record: ModelRecord) -> nn.Module:
        """Build it for a record, without weights; raises RecordError."""

        def build() -> nn.Module:
            return self.says.build(len(record.labels), **record.options)

        module: object = self._calling(build, f"cannot be built for {len(record.labels)} labels")
        if not isinstance(module, nn.Module):
            raise RecordError(
                f"{self.capital} cannot be used: its builder gives {type(module).__name__}, and "
                "not a torch.nn.Module."
            )
        return module

    def describe(self, asked: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
        """Give the members of a record that it says itself; raises RecordError."""
        says = self.says
        own: dict[str, Any] = {
            "task": says.task,
            "labels": list(says.labels),
            "preprocess": dict(says.preprocess),
            "description": says.description,
        }
        own |= {"max_batch": says.max_batch, "shard_items": says.shard_items}
        read = {name: value for name, value in own.items() if value}
        describe = says.describe
        if describe is not None:
            members = self._calling(lambda: dict(describe(asked, shapes)), "cannot be described")
            read |= members
        return read

    def failed(self, what: str, err: Exception) -> str:
        """Say in one line what it could not do, and why."""
        return f"{self.capital} {what}: {reason_of(err)}"

    def _calling(self, act: Callable[[], Given], what: str) -> Given:
        """Call a function of the module; what it raises becomes a RecordError of one line."""
        try:
            return act()
        except (ModelError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as err:  # whatever it raises
            raise RecordError(self.failed(what, err)) from err

    @property
    def capital(self) -> str:
        """Name it at the beginning of a sentence."""
        text = str(self)
        return text[0].upper() + text[1:]


class Extensions:
    """The modules of one process: what they brought, and what is wrong with the others."""

    def __init__(self) -> None:
        self._found: dict[str, Own] = {}
        self.refused: dict[str, str] = {}

    def load(self, name: str, taken: Container[str]) -> None:
        """Import a module and take its architectures; `taken` are names that are others'.

        One that was loaded before is loaded anew. Raises ExtensionNotLoaded, whose message names
        the module and the architecture; nothing of the module is taken then.
        """
        try:
            found = {own.name: own for own in read_extension(name)}
            for architecture in found:
                self._check_name(name, architecture, taken)
        except ExtensionNotLoaded as err:
            self.refused[name] = str(err)
            raise
        self._found.update(found)

    def find(self, architecture: str) -> Own | None:
        """Give an architecture that a module brought; None where none did."""
        return self._found.get(architecture)

    def names(self) -> list[str]:
        """Give the names of all architectures that modules brought, sorted."""
        return sorted(self._found)

    def _check_name(self, name: str, architecture: str, taken: Container[str]) -> None:
        source, other = source_of(architecture).name, self._found.get(architecture)
        if other is not None and other.extension != name:
            owner = f"the extension {other.extension!r}"
        elif architecture in taken or source != "here":
            owner = "Pixelmill" if source == "here" else source
        else:
            return
        raise ExtensionNotLoaded(
            f"The extension {name!r} cannot be used: its architecture {architecture!r} has a name "
            f"that is {owner}'s; give it another one, such as 'own/{architecture.split('/')[-1]}'."
        )


# Of this process: what PIXELMILL_EXTENSIONS names lives as long as it does.
EXTENSIONS = Extensions()


def read_extension(name: str) -> list[Own]:
    """Import a module and check what its ARCHITECTURES say; raises ExtensionNotLoaded."""
    try:
        module = importlib.import_module(name)
    except Exception as err:  # a module may raise whatever it likes
        raise ExtensionNotLoaded(
            f"The extension {name!r} cannot be imported: {reason_of(err)}. Install its package "
            "where workers run, or take its name out of PIXELMILL_EXTENSIONS."
        ) from err
    table = getattr(module, _TABLE, None)
    if not isinstance(table, Mapping) or not table:
        raise ExtensionNotLoaded(
            f"The extension {name!r} cannot be used: it has no dict {_TABLE} of builders or "
            "models.extensions.Architecture by their names."
        )
    return [_read(name, architecture, value) for architecture, value in table.items()]


def _read(extension: str, name: object, value: object) -> Own:
    def refused(why: str) -> ExtensionNotLoaded:
        return ExtensionNotLoaded(
            f"The extension {extension!r} cannot be used: its architecture {name!r} {why}."
        )

    if not isinstance(name, str) or not 1 <= len(name) <= 128:
        raise refused("needs a name of 1 to 128 letters, such as 'own/lamps'")
    if not isinstance(value, Architecture):
        if not callable(value):
            raise refused("is neither a builder nor a models.extensions.Architecture")
        return Own(name, extension, Architecture(build=value))
    for part in ("build", "describe", "prepare", "postprocess"):
        given = getattr(value, part)
        if not callable(given) and (part == "build" or given is not None):
            raise refused(f"has a `{part}` that is no function")
    if value.task and value.task not in _tasks():
        raise refused(f"has the task {value.task!r}; there are {', '.join(_tasks())}")
    if isinstance(value.labels, str) or not all(isinstance(each, str) for each in value.labels):
        raise refused("has `labels` that are no list of names")
    if min(value.max_batch, value.shard_items) < 1:
        raise refused("needs a `max_batch` and `shard_items` of at least 1")
    return Own(name, extension, value)


def reason_of(err: BaseException) -> str:
    """Say in one line what was raised."""
    text = " ".join(f"{type(err).__name__}: {err}".split()).removesuffix(".")
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"


def _tasks() -> Any:
    # Not on a machine that has torch alone (benchmarks/gpu).
    from models.contracts import CONTRACTS

    return CONTRACTS
